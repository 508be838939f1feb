"""One pass of the transformer over a whole sequence: clean latents out of noisy ones.

Frames are denoised under the stream's mask: each sees the sink and the frames before it, noised as
they happen to be.

Shape letters: B batch, P people, C latent channels, F latent frames, T = 4 F video frames, h and w
window size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.studio.config import Binding
from models.studio.dit import FULL_NOISE, SMALLEST_NOISE, StudioDiT, StudioScene
from models.studio.motion import Motion
from models.studio.vae_config import FRAMES_PER_LATENT
from training.stages.dit.windows import Window


def led_by_silence(x: Tensor) -> Tensor:
    """Put the sink's four video frames, of which nothing is told, before x [B, P, T, ...]."""
    return torch.cat([torch.zeros_like(x[:, :, :FRAMES_PER_LATENT]), x], dim=2)


def scene_of(dit: StudioDiT, window: Window) -> StudioScene:
    """Encode what stays over a window."""
    faces = window.faces if dit.studio.binding is Binding.IDENTITY else None
    return dit.encode_scene(window.words, window.reference, window.people, faces)


def noised(clean: Tensor, level: Tensor, noise: Tensor) -> Tensor:
    """Mix noise into latents [B, C, F, h, w] by level [B, F] in 0..1."""
    wide = level[:, None, :, None, None]
    return (1 - wide) * clean + wide * noise


def predict_clean(
    dit: StudioDiT, window: Window, noisy: Tensor, level: Tensor, *, remembers: bool = True
) -> Tensor:
    """Give the clean latents [B, C, F, h, w] that the transformer sees in noisy ones.

    Args:
        dit: the transformer.
        window: its conditions.
        noisy: [B, C, F, h, w].
        level: [B, F] in 0..1.
        remembers: whether frames see those before them.
    """
    motion = Motion(led_by_silence(window.motion), led_by_silence(window.known))
    audio = dit.encode_audio(led_by_silence(window.features), motion)
    sequence = torch.cat([window.reference, noisy], dim=2)
    timestep = torch.cat([torch.zeros_like(level[:, :1]), level], dim=1) * FULL_NOISE
    stream = dit.as_stream(remembers=remembers)
    made = dit(sequence, timestep, scene_of(dit, window), audio, stream=stream)
    velocity: Tensor = made.velocity[:, :, 1:]
    return noisy - velocity * level.clamp(min=SMALLEST_NOISE)[:, None, :, None, None]
