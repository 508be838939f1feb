"""Whole clips of the test split, rolled as a stream: do lips follow the voice, and whose?

Speech is told as it is heard, as at run time. The head is told as it was, so that the fixed
read-out of the lip gap finds mouths where the clip has them; pixels are judged without that
(`parley bench talking`).

Shape letters: B clips, P people, T = 4 F video frames, C latent channels, F latent frames, h and w
latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.errors import InputError
from models.studio.config import SPEECH_CURVES
from models.studio.dit import StudioDiT
from models.studio.motion import Motion
from training.stages.dit.lip_r import STILL, Floats, follow
from training.stages.dit.prediction import scene_of
from training.stages.dit.sampling import SamplingConfig, Told, generate, seeded
from training.stages.dit.windows import Bank, Window, WindowConfig, cut_window, stacked
from training.stages.dit.words import WordTable
from training.stages.latents.encoded import EncodedClip

ReadGap = Callable[[Tensor, Tensor], Tensor]
SEED = 11


class HeldOutRollouts(NamedTuple):
    """Some clips of one size and number of people, as one batch, and how lips are read."""

    window: Window  # from the first to the last latent frame, whole pictures
    read_gap: ReadGap  # (latents [B, C, F, h, w], mouths [B, P, T, 2]) -> [B, T] of person 0


def clips_alike(bank: Bank, clips: int) -> list[EncodedClip]:
    """Choose clips evenly among those of the first one's size and number of people."""
    first = bank[0]
    alike = [
        clip
        for clip in (bank[index] for index in range(len(bank)))
        if clip.latents.shape[2:] == first.latents.shape[2:] and clip.people == first.people
    ]
    count = min(clips, len(alike))
    return [alike[index * len(alike) // count] for index in range(count)]


def whole_clips(
    clips: list[EncodedClip],
    words: WordTable,
    config: WindowConfig,
    latent_frames: int,
    *,
    is_acting_told: bool,
) -> Window:
    """Cut whole pictures, no longer than the shortest clip, the same ones every time.

    Raises:
        InputError: when there are fewer than two clips: a voice must be exchanged for another.
    """
    if len(clips) < 2:
        raise InputError("rollouts need two clips of the same size; encode more of the test split")
    whole = replace(
        config,
        latent_frames=min(latent_frames, *(clip.frames for clip in clips)),
        exact_speech=0.0,
        heard_speech=1.0,
        known_expression=float(is_acting_told),
        known_head=float(is_acting_told),
        no_voice=0.0,
        no_prompt=0.0,
    )
    rng = np.random.default_rng(SEED)
    side = max(clips[0].latents.shape[2:])
    return stacked([cut_window(clip, words, whole, side, rng) for clip in clips])


def told_of(window: Window) -> Told:
    """Give what a window's stream is told."""
    return Told(window.features, Motion(window.motion, window.known))


def roll(dit: StudioDiT, window: Window, sampling: SamplingConfig) -> Tensor:
    """Make a window's clips [B, C, F, h, w] from their references and what they are told."""
    return generate(dit, scene_of(dit, window), told_of(window), sampling, seeded(SEED))


def with_other_voices(window: Window) -> Window:
    """Give every clip the next one's voices and curves of speech; faces and heads act on."""
    motion = window.motion.clone()
    motion[..., list(SPEECH_CURVES)] = window.motion.roll(1, 0)[..., list(SPEECH_CURVES)]
    return window._replace(features=window.features.roll(1, 0), motion=motion)


@torch.no_grad()
def measure_rollouts(
    dit: StudioDiT, held_out: HeldOutRollouts, sampling: SamplingConfig
) -> Mapping[str, float]:
    """Give correlations of lip gaps over whole clips, with true and with exchanged voices."""
    device = next(dit.parameters()).device
    window = Window(*(part.to(device) for part in held_out.window))
    true = _floats(window.gap)
    made = read_mouths(held_out.read_gap, roll(dit, window, sampling), window)
    other = roll(dit, with_other_voices(window), sampling)
    own = follow(made, true)
    measures = {
        "rollout_r": own.r,
        "rollout_lag": float(own.lag_frames),
        "rollout_r_shuffled": follow(read_mouths(held_out.read_gap, other, window), true).r,
        "rollout_r_true": follow(read_mouths(held_out.read_gap, window.latents, window), true).r,
    }
    if window.people.shape[1] > 1:
        measures["binding"] = own.binding
    silent = true.std(-1) < STILL
    if silent.any() and not silent.all():
        moved = made.std(-1)
        measures["silent_motion"] = float(moved[silent].mean() / max(moved[~silent].mean(), 1e-6))
    return measures


def read_mouths(read_gap: ReadGap, latents: Tensor, window: Window) -> Floats:
    """Read every person's lip gap [B, P, T] in 10 mm off latents of a window."""
    people = range(window.mouths.shape[1])
    read = [read_gap(latents, window.mouths[:, person : person + 1]) for person in people]
    return _floats(torch.stack(read, dim=1))


def _floats(x: Tensor) -> Floats:
    return x.detach().cpu().double().numpy()
