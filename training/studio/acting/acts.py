"""Which expressions, gestures and looks a person shows when, so that a prompt can name them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from training.studio.performance_data import FPS, Act, Flags

GESTURES = ("nodding", "shaking_head", "tilting_head")
LOOKS = ("looking_at_camera", "looking_at_other")

EXPRESSION_SHARES = {
    **{"smiling": 0.28, "laughing": 0.08, "sad": 0.1, "angry": 0.1, "surprised": 0.12},
    **{"disgusted": 0.08, "skeptical": 0.12, "worried": 0.12},
}
EXPRESSION_CHANCES = (0.35, 0.4, 0.25)  # of none, one, and one that turns into another
GESTURE_CHANCE = 0.3
LOOK_CHANCE = 0.25
SHORTEST_STATE = 20  # frames of talking or listening that are worth naming
MERGED_GAP = 15  # frames: a shorter pause does not end talking


def draw_acts(frames: int, people: int, rng: np.random.Generator) -> list[Act]:
    """Draw what a person shows over a clip; half of the changes come in mid-clip."""
    acts = _expressions(frames, rng)
    if rng.random() < GESTURE_CHANCE:
        acts.append(_spell(str(rng.choice(GESTURES)), frames, (1.5, 4.0), rng))
    if rng.random() < LOOK_CHANCE:
        looks = LOOKS if people > 1 else LOOKS[:1]
        acts.append(_spell(str(rng.choice(looks)), frames, (2.0, 6.0), rng))
    return acts


def states(person: int, speaking: Flags) -> list[Act]:
    """Name the stretches in which a person talks, and listens to others, from [P, T]."""
    own = closed_gaps(speaking[person], MERGED_GAP)
    others = np.asarray(np.delete(speaking, person, axis=0).any(axis=0))
    heard = closed_gaps(others, MERGED_GAP) & ~own
    return [
        Act(start_frame=start, end_frame=end, name=name, strength=1.0)
        for name, flags in (("talking", own), ("listening", heard))
        for start, end in stretches(flags)
        if end - start >= SHORTEST_STATE
    ]


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """List the first frame and the frame after the last of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def closed_gaps(flags: Flags, shortest: int) -> Flags:
    """Fill the false runs between true ones that are shorter than `shortest` frames."""
    out = flags.copy()
    runs = stretches(flags)
    for (_, end), (start, _) in itertools.pairwise(runs):
        if start - end < shortest:
            out[end:start] = True
    return out


def named_at(acts: Sequence[Act], frame: int) -> list[Act]:
    """List the acts in force in a frame."""
    return [act for act in acts if act.start_frame <= frame < act.end_frame]


def _expressions(frames: int, rng: np.random.Generator) -> list[Act]:
    count = int(rng.choice(3, p=EXPRESSION_CHANCES))
    shares = np.array(list(EXPRESSION_SHARES.values()))
    names = rng.choice(list(EXPRESSION_SHARES), count, replace=False, p=shares / shares.sum())
    if count == 0:
        return []
    edges = [0, frames]
    if count == 2:
        edges = [0, int(frames * rng.uniform(0.35, 0.65)), frames]
    elif rng.random() < 0.5:  # begins or ends in mid-clip
        middle = int(frames * rng.uniform(0.3, 0.6))
        edges = [0, middle] if rng.random() < 0.5 else [middle, frames]
    return [
        Act(
            start_frame=edges[index],
            end_frame=edges[index + 1],
            name=str(name),
            strength=float(np.round(rng.uniform(0.45, 1.0), 2)),
        )
        for index, name in enumerate(names)
    ]


def _spell(name: str, frames: int, seconds: tuple[float, float], rng: np.random.Generator) -> Act:
    length = min(frames, round(float(rng.uniform(*seconds)) * FPS))
    start = int(rng.integers(0, frames - length + 1))
    strength = float(np.round(rng.uniform(0.6, 1.0), 2))
    return Act(start_frame=start, end_frame=start + length, name=name, strength=strength)
