"""Measures the scale of an autoencoder's latents, so that the transformer sees unit variance."""

from __future__ import annotations

import numpy as np
import torch

from models.studio.vae import StudioVAE
from models.studio.vae_config import FRAMES_PER_LATENT
from training.stages.clip_pool import SamplePool
from training.stages.vae.crops import as_pixels

CLIPS = 48
LATENTS_OF_A_CLIP = 4


@torch.no_grad()
def fit_scale(vae: StudioVAE, pool: SamplePool, seed: int) -> None:
    """Set the autoencoder's mean and deviation of latents [C] from clips of a pool, in place."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(CLIPS):
        video = pool.draw(rng).video[: LATENTS_OF_A_CLIP * FRAMES_PER_LATENT]
        pixels = as_pixels(video).to(vae.mean.device).transpose(0, 1)[None]
        found.append(vae.encode_raw(pixels)[0].flatten(1))
    every = torch.cat(found, dim=1)
    vae.mean.copy_(every.mean(1))
    vae.std.copy_(every.std(1))
