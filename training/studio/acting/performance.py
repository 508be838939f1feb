"""Turns a dialogue into what each person does: mouth, face, eyes, head and body over the clip.

Shape letters: T video frames at `FPS`, P people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from models.errors import InputError
from training.studio.acting.acts import closed_gaps, draw_acts, states
from training.studio.acting.attention import IN_THE_CAMERA, Seated, gaze, plan_looks
from training.studio.acting.blinks import blink_curve
from training.studio.acting.dialogue import Dialogue, Role, write_dialogue
from training.studio.acting.expressions import expression_curves, smooth_noise
from training.studio.acting.head_motion import head_angles
from training.studio.acting.listening import Reactions, react
from training.studio.acting.viseme_shapes import arkit_vector
from training.studio.acting.visemes import lip_opening, mouth_curves
from training.studio.performance_data import (
    ARKIT,
    FPS,
    Act,
    Flags,
    Floats,
    Performance,
    Phone,
)
from training.studio.speech.loudness import frame_rms, pitch_hz, speech_level
from training.studio.speech.phones import SILENCE
from training.studio.speech.voices import Catalogue

ARTICULATION = (0.85, 1.15)  # how clearly people move their lips
SPEECH_GAP_FRAMES = 8  # a shorter pause still counts as speaking
BROW_LIFT = arkit_vector(browInnerUp=0.3, browOuterUp=0.3)
BREATHS_HZ = (0.2, 0.32)
SWAY_M = np.array([0.004, 0.002, 0.005])
LAUGH_FACE = 0.9
BLINKS = [ARKIT.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
WIDE = [ARKIT.index(name) for name in ("eyeWideLeft", "eyeWideRight")]

FloatArray = NDArray[np.float64]


class Around(NamedTuple):
    """Where everybody is."""

    seats: Sequence[Seated]
    listener_m: tuple[float, float, float]  # somebody outside the picture, world


def make_dialogue(
    roles: Sequence[Role],
    seconds: float,
    rng: np.random.Generator,
    catalogue: Catalogue,
    seats: Sequence[Seated],
) -> list[Performance]:
    """Write a dialogue and perform it; see `write_dialogue` and `perform` for errors."""
    return perform(write_dialogue(roles, seconds, rng, catalogue), seats, rng)


def perform(
    dialogue: Dialogue,
    seats: Sequence[Seated],
    rng: np.random.Generator,
    acts: Sequence[Sequence[Act]] | None = None,
    listener_m: tuple[float, float, float] = IN_THE_CAMERA,
) -> list[Performance]:
    """Perform a dialogue: one performance for each person.

    Without `acts`, expressions and gestures are drawn. `talking`, `listening` and the laughing of a
    heard laugh are added to them. The camera is at the world's origin, and so is the listener at
    whom people look who look at nobody in the picture, unless `listener_m` is another point.

    Raises:
        InputError: when seats or acts are given for another number of people.
    """
    people, frames = dialogue.people, round(dialogue.seconds * FPS)
    if len(seats) != people or (acts is not None and len(acts) != people):
        got = f"{len(seats)} seats, {len(acts) if acts is not None else 'no'} lists of acts"
        raise InputError(f"a dialogue of {people} needs a seat for each, got {got}")
    phones = [dialogue.phones(person) for person in range(people)]
    speaking = np.stack([speaking_frames(each, frames) for each in phones])
    return [
        _perform_one(
            dialogue,
            person,
            Around(seats, listener_m),
            speaking,
            list(acts[person]) if acts is not None else draw_acts(frames, people, rng),
            rng,
        )
        for person in range(people)
    ]


def speaking_frames(phones: Sequence[Phone], frames: int) -> Flags:
    """Say in which frames, [T], someone speaks, pauses of less than 0.3 s included."""
    is_speaking = np.zeros(frames, np.bool_)
    for phone in phones:
        if phone.symbol != SILENCE:
            first, last = int(phone.start * FPS), int(np.ceil(phone.end * FPS))
            is_speaking[first:last] = True
    return closed_gaps(is_speaking, SPEECH_GAP_FRAMES)


def _perform_one(
    dialogue: Dialogue,
    person: int,
    around: Around,
    speaking: Flags,
    acts: list[Act],
    rng: np.random.Generator,
) -> Performance:
    frames = speaking.shape[1]
    is_speaking, voice = speaking[person], dialogue.voice(person)
    phones = dialogue.phones(person)
    acts = [*acts, *_laughs(dialogue, person, frames), *states(person, speaking)]
    energy = _energy(voice, frames)
    looks = plan_looks(person, speaking, acts, rng)
    look = gaze(looks, around.seats, person, frames, rng, around.listener_m)
    reactions = react(person, speaking, rng)
    mouth = mouth_curves(phones, voice, frames, float(rng.uniform(*ARTICULATION)))
    head = head_angles(look.centers, around.seats[person], energy, acts, rng)
    head[:, 1] += reactions.nod_rad
    curves = _face(mouth, is_speaking, acts, reactions, rng)
    curves += _brows(voice, energy, rng)[:, None] * BROW_LIFT
    lids = blink_curve(is_speaking, look.large_shifts, rng)
    curves[:, WIDE] *= 1 - lids[:, None]
    curves[:, BLINKS] = np.maximum(curves[:, BLINKS], lids[:, None])
    return Performance(
        curves=curves.clip(0, 1).astype(np.float32),
        head_rad=head.astype(np.float32),
        gaze_target=look.points,
        breath=_breath(is_speaking, rng),
        lean_m=_lean(frames, reactions, rng),
        samples=dialogue.track(person),
        phones=phones,
        is_speaking=is_speaking,
        acts=tuple(sorted(acts, key=lambda act: (act.start_frame, act.name))),
    )


def _face(
    mouth: Floats,
    is_speaking: Flags,
    acts: list[Act],
    reactions: Reactions,
    rng: np.random.Generator,
) -> FloatArray:
    """Add expressions and reactions to the mouth; neither holds open lips that speech shuts."""
    frames = len(mouth)
    talking = np.clip(gaussian_filter1d(is_speaking.astype(np.float64), 3.0), 0, 1)
    shown = expression_curves(acts, frames, talking, rng).astype(np.float64) + reactions.curves
    closed = lip_opening(mouth) < 0.01
    closing = [ARKIT.index("mouthStretchLeft"), ARKIT.index("mouthStretchRight")]
    shown[:, closing] *= np.where(closed & is_speaking, 0.3, 1.0)[:, None]
    return shown + mouth


def _laughs(dialogue: Dialogue, person: int, frames: int) -> list[Act]:
    return [
        Act(
            start_frame=max(int(turn.start * FPS) - 3, 0),
            end_frame=min(int(turn.end * FPS) + 8, frames),
            name="laughing",
            strength=LAUGH_FACE,
        )
        for turn in dialogue.turns
        if turn.person == person and turn.action == "laugh" and int(turn.start * FPS) < frames
    ]


def _energy(voice: Floats, frames: int) -> FloatArray:
    """Give [T] the loudness of a voice: 0 silent, 1 as loud as it usually gets."""
    levels = frame_rms(voice, frames)
    return np.clip(levels / speech_level(levels), 0, 1.3)


def _brows(voice: Floats, energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Give [T] how far brows rise with the voice: with pitch above its usual, and with stress."""
    pitch = pitch_hz(voice, len(energy))
    is_voiced = pitch > 0
    if not is_voiced.any():
        return np.zeros(len(energy))
    usual = float(np.median(pitch[is_voiced]))
    rise = np.where(is_voiced, np.log2(np.maximum(pitch, 1.0) / usual), 0.0)
    lift = np.clip(rise, 0, 0.6) * 1.8 + np.clip(energy - 0.6, 0, 0.5)
    soft: FloatArray = gaussian_filter1d(lift, 3.0) * float(rng.uniform(0.4, 1.4))
    return np.clip(soft, 0, 1.2)


def _breath(is_speaking: Flags, rng: np.random.Generator) -> Floats:
    """Give [T] 0..1: slow waves at rest; speech begins with a full chest and empties it."""
    frames = len(is_speaking)
    rate = float(rng.uniform(*BREATHS_HZ)) * np.exp(0.15 * smooth_noise(frames, 40.0, rng))
    phase = np.cumsum(2 * np.pi * rate / FPS) + float(rng.uniform(0, 2 * np.pi))
    quiet = 0.5 - 0.5 * np.cos(phase)
    spoken = np.zeros(frames)
    level = 0.5
    coming = np.concatenate([is_speaking[8:], np.zeros(min(8, frames), np.bool_)])[:frames]
    for frame in range(frames):
        is_inhaling = coming[frame] and not is_speaking[frame]
        goal, pace = (1.0, 0.25) if is_inhaling else (0.15, 0.02)
        level += pace * (goal - level)
        spoken[frame] = level
    share = gaussian_filter1d((is_speaking | coming).astype(float), 5.0)
    return np.asarray(quiet * (1 - share) + spoken * share, np.float32).clip(0, 1)


def _lean(frames: int, reactions: Reactions, rng: np.random.Generator) -> Floats:
    """Give [T, 3] how the body sways; a listener leans toward the speaker."""
    sway = np.stack([smooth_noise(frames, 40.0, rng) * amount for amount in SWAY_M], axis=1)
    sway[:, 2] += reactions.lean_m
    return sway.astype(np.float32)
