"""The acting network's own making over whole windows, as a stream makes it.

Shape letters: B batch, P people, K chunks, T = 4 K video frames, C numbers of a chunk, A channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.studio.acting import ActingNetwork
from models.studio.vae_config import FRAMES_PER_LATENT
from training.stages.acting.task import Window, said_of


@torch.no_grad()
def roll(network: ActingNetwork, window: Window, generator: torch.Generator) -> Tensor:
    """Act a window [B, P, T, A] behind the network's own past, from the picture on."""
    said = said_of(network, window)
    past, state = torch.zeros_like(window.before), None
    made = []
    for chunk in range(window.said.shape[1]):
        span = slice(chunk * FRAMES_PER_LATENT, (chunk + 1) * FRAMES_PER_LATENT)
        moment, state = network.follow(
            window.features[:, :, span], past[:, :, None], said[:, :, chunk : chunk + 1], state
        )
        noise = torch.randn(past.shape, generator=generator, device=past.device)
        values = network.restored(network.drawn(noise, moment[:, :, 0]), past)
        past = network.normalized(values)[:, :, 0]
        made.append(values)
    return torch.cat(made, dim=2)
