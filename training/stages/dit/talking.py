"""Held-out people made to talk, in pixels: what an independent judge sees of their lips.

Speech is told as a room is told it: the voice, and the curves that are heard in it. Faces and heads
act as they truly did, where a room makes that up, so that lips alone are compared. The autoencoder
sets the ceiling, so true latents are decoded and judged beside the ones made.

Shape letters: B clips, T = 4 F video frames, C latent channels, F latent frames, h and w latent
size, H = 16 h, W = 16 w.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.studio.dit import StudioDiT
from models.studio.vae import StudioVAE
from models.studio.vae_movement import Told
from training.stages.dit.rollouts import roll, with_other_voices
from training.stages.dit.sampling import SamplingConfig
from training.stages.dit.windows import Window, told_by
from training.stages.judged_lips import Floats, JudgedLips, Pixels, judge_lips

See = Callable[[Pixels], Floats]
"""A video [T, H, W, 3] -> the opening of its mouth [T], NaN where no face is found."""

QUIET_GAP = 0.1  # in 10 mm: lips that stay closer than 1 mm do not speak
QUIET_FRAMES = 6  # at least so long, to be called silence; a closed consonant is shorter
LEAST_FRAMES = 12  # of silence and of speech, to compare motion in the two
SHEET_COLUMNS, SHEET_ROWS = 8, 6


class Videos(NamedTuple):
    """The same clips three times."""

    rebuilt: Pixels  # [B, T, H, W, 3] true latents, decoded
    made: Pixels
    with_other_voice: Pixels  # the next clip's


class Openings(NamedTuple):
    """What is seen of one clip's mouth, three times."""

    rebuilt: Floats  # [T]
    made: Floats
    with_other_voice: Floats


class TalkingClip(NamedTuple):
    """One clip as a judge sees it."""

    rebuilt: JudgedLips  # the ceiling
    made: JudgedLips
    with_other_voice: JudgedLips  # against the clip's own lips; near 0 when voices are heard
    amplitude: float  # deviation of the opening, over that of the rebuilt clip
    silence: float  # motion of the mouth in silence over that in speech; NaN without enough of both


@torch.no_grad()
def make_videos(dit: StudioDiT, vae: StudioVAE, window: Window, sampling: SamplingConfig) -> Videos:
    """Roll a batch of clips with their own voices and with others', and decode."""
    other = with_other_voices(window)
    return Videos(
        decode(vae, window.latents, window.picture, told_by(window)),
        decode(vae, roll(dit, window, sampling), window.picture, told_by(window)),
        decode(vae, roll(dit, other, sampling), window.picture, told_by(other)),
    )


@torch.no_grad()
def decode(vae: StudioVAE, latents: Tensor, picture: Tensor, told: Told | None = None) -> Pixels:
    """Decode latents [B, C, F, h, w] over pictures [B, 3, H, W] as a stream does."""
    looked, state, pieces = vae.look(picture), None, []
    for frame, latent in enumerate(torch.split(latents, 1, dim=2)):
        now = None if told is None else told.of_latents(slice(frame, frame + 1))
        decoded = vae.decode(latent, looked, state, told=now)
        state = decoded.state
        pieces.append(decoded.video)
    video = torch.cat(pieces, dim=2).permute(0, 2, 3, 4, 1)
    return ((video + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def judge(videos: Videos, gaps: NDArray[np.float32], see: See) -> list[TalkingClip]:
    """Judge every clip against its true lip gap [B, T] in 10 mm."""
    return [
        _judge_one(Openings(*(see(video[index]) for video in videos)), gap.astype(np.float64))
        for index, gap in enumerate(gaps)
    ]


def _judge_one(seen: Openings, gap: Floats) -> TalkingClip:
    return TalkingClip(
        judge_lips(seen.rebuilt, gap),
        judge_lips(seen.made, gap),
        judge_lips(seen.with_other_voice, gap),
        _spread(seen.made) / max(_spread(seen.rebuilt), 1e-6),
        motion_in_silence(seen.made, gap),
    )


def _spread(openings: Floats) -> float:
    known = openings[~np.isnan(openings)]
    return float(known.std()) if len(known) else 0.0


def motion_in_silence(openings: Floats, gap: Floats) -> float:
    """Compare how much a mouth moves while its voice is silent with how much while it speaks."""
    moved = np.abs(np.diff(openings))
    is_quiet = _long_runs(np.abs(gap) < QUIET_GAP)[1:]
    quiet, loud = moved[is_quiet], moved[~is_quiet]
    quiet, loud = quiet[~np.isnan(quiet)], loud[~np.isnan(loud)]
    if min(len(quiet), len(loud)) < LEAST_FRAMES or not loud.any():
        return float("nan")
    return float(quiet.mean() / loud.mean())


def _long_runs(is_quiet: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep runs of at least `QUIET_FRAMES`."""
    kept = np.zeros_like(is_quiet)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_quiet, [False]])))
    for start, end in edges.reshape(-1, 2):
        kept[start:end] = end - start >= QUIET_FRAMES
    return kept


def draw_sheet(videos: Videos, path: Path) -> None:
    """Write a PNG: for some clips, frames of the true latents above the same frames as made."""
    frames = np.linspace(0, videos.made.shape[1] - 1, SHEET_COLUMNS).round().astype(int)
    rows = [
        np.concatenate(list(video[clip, frames]), axis=1)
        for clip in range(min(len(videos.made), SHEET_ROWS))
        for video in (videos.rebuilt, videos.made)
    ]
    Image.fromarray(np.concatenate(rows, axis=0)).save(path)


def mean(values: Sequence[float]) -> float:
    """Average what is known; NaN when nothing is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
