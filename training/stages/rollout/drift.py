"""How far long streams drift: latents of a minute, second by second, against true ones.

Held-out clips are shorter than that, so their voices and heads go back and forth, latent frame by
latent frame, with no jump at the ends. Nothing else is looped; the stream itself goes on.

Shape letters: B clips, C latent channels, F latent frames, T = 4 F video frames, h and w latent
size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.studio.dit import StudioDiT
from models.studio.motion import Motion
from models.studio.vae_config import FRAMES_PER_LATENT
from training.runs.curve_picture import Series, draw_curves
from training.runs.folder import RunFolder, write_json
from training.stages.dit.lip_r import follow
from training.stages.dit.prediction import scene_of
from training.stages.dit.rollouts import HeldOutRollouts
from training.stages.dit.sampling import SamplingConfig, Told, generate, seeded
from training.studio.performance_data import FPS

SEED = 13
PARTS = 6  # of a stream, for which numbers are given
PICTURE, NUMBERS = "drift.png", "drift.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftWatch:
    """Clips whose streams go on for long."""

    held_out: HeldOutRollouts
    seconds: float
    sampling: SamplingConfig

    def measure(self, network: StudioDiT, folder: RunFolder) -> Mapping[str, float]:
        """Roll long streams; draw their course into the folder, give its first and last part.

        `distance` is how far latents are from the reference, `power` their deviation, `sharpness`
        the mean difference of neighbors, all relative to true latents; `lips` how they follow.
        """
        device = next(network.parameters()).device
        window = type(self.held_out.window)(*(part.to(device) for part in self.held_out.window))
        frames = max(PARTS, round(self.seconds * FPS / FRAMES_PER_LATENT))
        course = back_and_forth(window.latents.shape[2], frames, device)
        by_video = _video_frames(course)
        told = Told(
            window.features[:, :, by_video],
            Motion(window.motion[:, :, by_video], window.known[:, :, by_video]),
        )
        made = generate(network, scene_of(network, window), told, self.sampling, seeded(SEED))
        true = window.latents[:, :, course]
        parts = torch.arange(frames, device=device) * PARTS // frames
        mouths = window.mouths[:, :1, by_video]
        read = self.held_out.read_gap(made, mouths)[:, None].cpu().double().numpy()
        gaps = window.gap[:, :1, by_video].cpu().double().numpy()
        rows = []
        for part in range(PARTS):
            inside = parts == part
            video = _video_frames(torch.nonzero(inside)[:, 0]).cpu().numpy()
            row = _compare(made[:, :, inside], true[:, :, inside], window.reference)
            rows.append({**row, "lips": follow(read[..., video], gaps[..., video]).r})
        self._write(folder, rows, frames)
        return {
            f"drift_{name}_{when}": row[name]
            for when, row in (("first", rows[0]), ("last", rows[-1]))
            for name in row
        }

    def _write(self, folder: RunFolder, rows: list[dict[str, float]], frames: int) -> None:
        seconds = frames * FRAMES_PER_LATENT / FPS
        ends = [round(seconds * (part + 1) / PARTS, 2) for part in range(PARTS)]
        series: dict[str, Series] = {
            name: [(end, row[name]) for end, row in zip(ends, rows, strict=True)]
            for name in rows[0]
        }
        draw_curves(series, folder.path / PICTURE)
        write_json(folder.path / NUMBERS, {"until_seconds": ends, "parts": rows})


def back_and_forth(known: int, frames: int, device: torch.device) -> Tensor:
    """Give so many numbers of known frames [frames]: up, down, up, each end twice."""
    steps = torch.arange(frames, device=device) % (2 * known)
    return torch.where(steps < known, steps, 2 * known - 1 - steps)


def _video_frames(latent_frames: Tensor) -> Tensor:
    """Give the four video frames of each latent frame."""
    offsets = torch.arange(FRAMES_PER_LATENT, device=latent_frames.device)
    return (latent_frames[:, None] * FRAMES_PER_LATENT + offsets).flatten()


def _compare(made: Tensor, true: Tensor, reference: Tensor) -> dict[str, float]:
    """Give what is to stay 1 over a stream; tensors [B, C, F, h, w], the reference's F is 1."""

    def ratio(one: Tensor, other: Tensor) -> float:
        return float(one / other.clamp(min=1e-6))

    return {
        "distance": ratio((made - reference).square().mean(), (true - reference).square().mean()),
        "power": ratio(made.std(), true.std()),
        "sharpness": ratio(made.diff(dim=4).abs().mean(), true.diff(dim=4).abs().mean()),
    }
