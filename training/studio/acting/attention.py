"""Whom people look at, and when: points in the world for each video frame.

World axes as in `camera`: the camera is at the origin and looks along -z. Shape letters: T video
frames, P people.

Proportions after Kendon, "Some functions of gaze-direction in social interaction", 1967: speakers
look at the other about half of the time and away when they begin, listeners most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from training.studio.performance_data import FPS, Act, Flags, Floats

CAMERA, AWAY = -1, -2  # targets that are no person
IN_THE_CAMERA = (0.0, 0.0, 0.0)

LISTENER_SECONDS, SPEAKER_SECONDS = 2.4, 1.6  # mean time on one target
REACTION_SECONDS = (0.12, 0.5)  # until a listener's eyes follow a change of speaker
FIXATION_SECONDS = (0.35, 1.5)
FACE_SCATTER_M = (0.022, 0.028)  # fixations wander over a face, horizontally and vertically
LARGE_SHIFT_RAD = 0.22

FloatArray = NDArray[np.float64]


class Seated(Protocol):
    """Where a person is."""

    @property
    def eyes_m(self) -> tuple[float, float, float]:
        """The point between the eyes, world."""
        ...

    @property
    def yaw_rad(self) -> float:
        """Which way the body faces: 0 along +z, > 0 to the viewer's right."""
        ...


class Look(NamedTuple):
    """From `start_frame` on, a person looks at `target`: a person's index, CAMERA or AWAY."""

    start_frame: int
    target: int


class Gaze(NamedTuple):
    """Where a person looks in each frame."""

    points: Floats  # [T, 3] world, saccades included
    centers: Floats  # [T, 3] world: the targets themselves, for the head to follow
    large_shifts: tuple[int, ...]  # frames


def plan_looks(
    person: int, speaking: Flags, acts: Sequence[Act], rng: np.random.Generator
) -> list[Look]:
    """Plan a person's looks over a clip from who speaks, `speaking` [P, T].

    Acts `looking_at_camera` and `looking_at_other` overrule the person's own wishes.
    """
    frames = speaking.shape[1]
    floor = floor_holders(speaking)
    cuts = _cuts(floor, acts, rng)
    looks: list[Look] = []
    frame = 0
    while frame < frames:
        target = _ordered(person, frame, floor, acts)
        if target is None:
            target = _wished(person, frame, speaking, floor, rng)
        looks.append(Look(frame, target))
        mean = SPEAKER_SECONDS if speaking[person, frame] else LISTENER_SECONDS
        end = frame + max(8, round(float(rng.gamma(3.0, mean / 3.0)) * FPS))
        later = cuts[cuts > frame]
        frame = min(end, int(later[0])) if len(later) else end
    return looks


def floor_holders(speaking: Flags) -> NDArray[np.intp]:
    """Give [T] who holds the floor: who began to speak last; -1 before anyone has spoken."""
    people, frames = speaking.shape
    floor = np.full(frames, -1, np.intp)
    holder = -1
    for frame in range(frames):
        for person in range(people):
            is_new = speaking[person, frame] and (frame == 0 or not speaking[person, frame - 1])
            if is_new or (holder < 0 and speaking[person, frame]):
                holder = person
        floor[frame] = holder
    return floor


def gaze(
    looks: Sequence[Look],
    seats: Sequence[Seated],
    person: int,
    frames: int,
    rng: np.random.Generator,
    listener_m: tuple[float, float, float] = IN_THE_CAMERA,
) -> Gaze:
    """Turn looks into points: a saccade of two frames, then fixations that wander a little.

    Looks at CAMERA go to `listener_m`, who is behind the camera unless told otherwise.
    """
    eyes = np.asarray(seats[person].eyes_m)
    centers = np.zeros((frames, 3))
    ends = [look.start_frame for look in looks[1:]] + [frames]
    for look, end in zip(looks, ends, strict=True):
        centers[look.start_frame : end] = _place(look.target, seats, person, listener_m, rng)
    points = centers + _fixations(centers, eyes, rng)
    jumps = [look.start_frame for look in looks[1:] if look.start_frame < frames]
    for jump in jumps:  # the first frame of a saccade is half way
        points[jump] = (points[jump - 1] + points[jump]) / 2
    large = tuple(j for j in jumps if _angle(centers[j - 1] - eyes, centers[j] - eyes))
    return Gaze(points.astype(np.float32), centers.astype(np.float32), large)


def _cuts(
    floor: NDArray[np.intp], acts: Sequence[Act], rng: np.random.Generator
) -> NDArray[np.intp]:
    """List the frames at which a person thinks again about where to look."""
    changes = np.flatnonzero(np.diff(floor)) + 1
    delays = rng.uniform(*REACTION_SECONDS, len(changes)) * FPS
    edges = [edge for act in acts for edge in (act.start_frame, act.end_frame)]
    return np.unique(np.concatenate([changes + delays.astype(int), edges]).astype(np.intp))


def _ordered(person: int, frame: int, floor: NDArray[np.intp], acts: Sequence[Act]) -> int | None:
    for act in acts:
        if not act.start_frame <= frame < act.end_frame:
            continue
        if act.name == "looking_at_camera":
            return CAMERA
        if act.name == "looking_at_other":
            return _other(person, frame, floor)
    return None


def _other(person: int, frame: int, floor: NDArray[np.intp]) -> int:
    """Name the one most worth looking at: who holds the floor, or held it before oneself."""
    earlier = [int(holder) for holder in floor[: frame + 1][::-1] if holder not in (person, -1)]
    if earlier:
        return earlier[0]
    later = [int(holder) for holder in floor[frame:] if holder not in (person, -1)]
    return later[0] if later else (1 if person == 0 else 0)


def _wished(
    person: int,
    frame: int,
    speaking: Flags,
    floor: NDArray[np.intp],
    rng: np.random.Generator,
) -> int:
    people = len(speaking)
    if people == 1:
        return CAMERA if rng.random() < 0.78 else AWAY
    others = [other for other in range(people) if other != person]
    if speaking[person, frame]:
        is_beginning = not speaking[person, max(frame - 10, 0)]
        away = 0.4 if is_beginning else 0.2
        choice = rng.random()
        if choice < away:
            return AWAY
        return CAMERA if choice < away + 0.2 else int(rng.choice(others))
    choice = rng.random()
    if choice < 0.8:
        return _other(person, frame, floor)
    if choice < 0.87:
        return CAMERA
    return int(rng.choice(others)) if choice < 0.93 else AWAY


def _place(
    target: int,
    seats: Sequence[Seated],
    person: int,
    listener_m: tuple[float, float, float],
    rng: np.random.Generator,
) -> FloatArray:
    if target == CAMERA:
        return np.asarray(listener_m, np.float64)
    if target >= 0:
        return np.asarray(seats[min(target, len(seats) - 1)].eyes_m, np.float64)
    seat = seats[person]
    yaw = seat.yaw_rad + float(rng.choice([-1, 1])) * float(rng.uniform(0.2, 0.5))
    pitch = float(rng.uniform(-0.3, 0.14))
    ahead = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    return np.asarray(np.asarray(seat.eyes_m) + ahead)


def _fixations(centers: FloatArray, eyes: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Give [T, 3] how far from the target the eyes rest, in the picture's plane."""
    offsets = np.zeros_like(centers)
    frame = 0
    while frame < len(centers):
        length = max(2, round(float(rng.uniform(*FIXATION_SECONDS)) * FPS))
        distance = float(np.linalg.norm(centers[frame] - eyes))
        scatter = np.array([*FACE_SCATTER_M, 0.0]) * np.clip(distance, 0.5, 1.2)
        offsets[frame : frame + length] = rng.normal(size=3) * scatter
        frame += length
    return offsets


def _angle(before: FloatArray, after: FloatArray) -> bool:
    cosine = before @ after / (np.linalg.norm(before) * np.linalg.norm(after) + 1e-9)
    return bool(np.arccos(np.clip(cosine, -1, 1)) > LARGE_SHIFT_RAD)
