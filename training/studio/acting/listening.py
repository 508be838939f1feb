"""What attentive listeners do while others speak: nod, smile a little, lift a brow, lean in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from training.studio.acting.viseme_shapes import arkit_vector
from training.studio.performance_data import ARKIT, FPS, Flags

NOD_RAD = (0.04, 0.09)
NOD_HZ = (1.3, 2.2)
NODS_PER_MINUTE = 9.0
PAUSE_NOD_CHANCE = 0.45  # a listener nods where the speaker pauses
SMILES_PER_MINUTE = 3.0
LIFTS_PER_MINUTE = 3.0

SMILE = arkit_vector(Smile=0.35, cheekSquint=0.2, eyeSquint=0.06)
LIFT = arkit_vector(browInnerUp=0.4, browOuterUp=0.4, eyeWide=0.1)

FloatArray = NDArray[np.float64]


class Reactions(NamedTuple):
    """A listener's own motion, to be added to everything else."""

    curves: FloatArray  # [T, 52]; none of them parts the lips
    nod_rad: FloatArray  # [T] added to the head's pitch
    lean_m: FloatArray  # [T] forward


def react(person: int, speaking: Flags, rng: np.random.Generator) -> Reactions:
    """React to the others of `speaking` [P, T] while they speak and this person does not."""
    frames = speaking.shape[1]
    others = np.asarray(np.delete(speaking, person, axis=0).any(axis=0))
    is_listening = others & ~speaking[person]
    pauses = np.flatnonzero(others[:-1] & ~others[1:]) + 1
    nods = _events(is_listening, NODS_PER_MINUTE, rng)
    nods += [int(f) for f in pauses if rng.random() < PAUSE_NOD_CHANCE]
    pitch = np.zeros(frames)
    for start in nods:
        nod = _nod(rng)[: frames - start]
        pitch[start : start + len(nod)] += nod
    curves = np.zeros((frames, len(ARKIT)))
    for shape, rate in ((SMILE, SMILES_PER_MINUTE), (LIFT, LIFTS_PER_MINUTE)):
        for start in _events(is_listening, rate, rng):
            amount = np.zeros(frames)
            amount[start : start + int(rng.uniform(0.8, 2.5) * FPS)] = rng.uniform(0.5, 1.0)
            curves += gaussian_filter1d(amount, 4.0)[:, None] * shape
    attentive = gaussian_filter1d(is_listening.astype(float), 20.0)
    is_quiet = gaussian_filter1d((~speaking[person]).astype(float), 2.0)
    lean = attentive * float(rng.uniform(0, 0.025))
    return Reactions(curves * is_quiet[:, None], pitch, lean)


def _events(when: Flags, per_minute: float, rng: np.random.Generator) -> list[int]:
    """Draw frames within `when`, by a Poisson process."""
    is_hit = rng.random(len(when)) < per_minute / 60 / FPS
    return [int(frame) for frame in np.flatnonzero(is_hit & when)]


def _nod(rng: np.random.Generator) -> FloatArray:
    """Nod one to three times, each smaller than the one before: head down first."""
    count, hz = int(rng.integers(1, 4)), float(rng.uniform(*NOD_HZ))
    seconds = np.arange(round(count / hz * FPS)) / FPS
    fade = np.linspace(1, 0.4, len(seconds))
    wave: FloatArray = (np.cos(2 * np.pi * hz * seconds) - 1) / 2
    return wave * fade * float(rng.uniform(*NOD_RAD)) * 1.5
