"""What the transformer does with people and voices it never saw, before any pixel is decoded.

The error of clean latents says little of lips. So a fixed linear read-out (gap_reader.py)
reads the lip gap off latents made from pure noise; shuffled voices show how much of
it comes from the voice. An independent judge sees pixels (`parley bench quality`).

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.studio.dit import StudioDiT
from training.runs.draw import Draw
from training.stages.dit.prediction import noised, predict_clean
from training.stages.dit.windows import Window, WindowSource

LEVELS = (0.3, 0.6, 1.0)
PAST_LEVEL = 0.05  # of the frames before the one that is looked at
ReadGap = Callable[[Tensor, Tensor], Tensor]


class HeldOutWindows(NamedTuple):
    """Batches of the test split, and how the lip gap is read off latents."""

    windows: tuple[Window, ...]
    read_gap: ReadGap  # (latents [B, C, F, h, w], mouths [B, P, T, 2]) -> [B, 4 F]


def draw_held_out(source: WindowSource, batches: int, read_gap: ReadGap) -> HeldOutWindows:
    """Draw the same batches every time."""
    draws = [Draw(7, 0, index, torch.device("cpu")) for index in range(batches)]
    return HeldOutWindows(tuple(source(draw) for draw in draws), read_gap)


@torch.no_grad()
def measure(dit: StudioDiT, held_out: HeldOutWindows) -> Mapping[str, float]:
    """Give errors of clean latents relative to the reference's, and correlations of lip gaps."""
    errors: dict[str, list[float]] = {}
    gaps: dict[str, list[tuple[Tensor, Tensor]]] = {"voice": [], "shuffled": [], "true": []}
    for index, drawn in enumerate(held_out.windows):
        window = Window(*(part.to(next(dit.parameters()).device) for part in drawn))
        generator = torch.Generator().manual_seed(index)
        noise = torch.randn(window.latents.shape, generator=generator).to(window.latents)
        still = (window.latents - window.reference).square().mean()
        for level in LEVELS:
            made = _last_frame(dit, window, noise, level)
            error = (made - window.latents[:, :, -1:]).square().mean() / still
            errors.setdefault(f"error_{level:g}", []).append(float(error))
        other = window._replace(
            features=window.features.roll(1, 0), motion=window.motion.roll(1, 0)
        )
        for name, heard in (("voice", window), ("shuffled", other)):
            made = _last_frame(dit, heard, noise, 1.0)
            gaps[name].append(_read(held_out, window, made))
        gaps["true"].append(_read(held_out, window, window.latents[:, :, -1:]))
    measures = {name: float(np.mean(values)) for name, values in errors.items()}
    return measures | {f"lip_r_{name}": _correlation(pairs) for name, pairs in gaps.items()}


def _last_frame(dit: StudioDiT, window: Window, noise: Tensor, level: float) -> Tensor:
    """Make the last latent frame [B, C, 1, h, w] from one noise level, the past nearly clean."""
    levels = torch.full((len(noise), noise.shape[2]), PAST_LEVEL, device=noise.device)
    levels[:, -1] = level
    noisy = noised(window.latents, levels, noise)
    return predict_clean(dit, window, noisy, levels)[:, :, -1:]


def _read(held_out: HeldOutWindows, window: Window, latent: Tensor) -> tuple[Tensor, Tensor]:
    read = held_out.read_gap(latent, window.mouths)
    return read, window.gap[:, 0, -4:]


def _correlation(pairs: list[tuple[Tensor, Tensor]]) -> float:
    read = torch.cat([one.flatten() for one, _ in pairs]).cpu().numpy()
    true = torch.cat([other.flatten() for _, other in pairs]).cpu().numpy()
    if min(read.std(), true.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(read, true)[0, 1])
