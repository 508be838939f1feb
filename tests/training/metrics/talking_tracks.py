"""Made-up face tracks and voices: mouths that follow a known curve, at known frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.metrics.face_detections import LANDMARKS
from training.metrics.face_reading import FaceLook, FaceReading
from training.metrics.observation import Observation
from training.metrics.quality import Heard
from training.metrics.tracks import FaceTracks, build_tracks
from training.metrics.video import VideoFormat

FPS = 25.0
SIZE_PX = (640, 360)
HEIGHT_PX = 100.0

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def turns(frames: int, people: int, turn_frames: int = 100) -> Flags:
    """Let people speak in turns from the left: [T, P]."""
    turn = np.arange(frames) // turn_frames % people
    flags: Flags = turn[:, None] == np.arange(people)
    return flags


def syllables(frames: int, is_speaking: Flags, seed: int = 0) -> Floats:
    """Give openings [T, P] of 0 to .1 that open and close irregularly while people speak."""
    rng = np.random.default_rng(seed)
    phase = np.cumsum(rng.uniform(0.5, 1.5, is_speaking.shape), axis=0)
    return 0.05 * (1 - np.cos(phase)) * is_speaking


def reading(opening: float, x: float, frame: int = 0, look: FaceLook | None = None) -> FaceReading:
    """Make one face around x."""
    landmarks = np.random.default_rng(0).uniform(-40, 40, (LANDMARKS, 2))
    middle = np.array([x, 180.0])
    landmarks[:, 1] += 0.1 * (frame % 2)
    half = np.full(2, HEIGHT_PX / 2)
    return FaceReading(
        landmarks=(landmarks + middle).astype(np.float32),
        box=np.concatenate([middle - half, middle + half]).astype(np.float32),
        center=middle,
        height_px=HEIGHT_PX,
        mouth_opening=opening,
        eye_opening=0.05,
        eye_span=0.5,
        look=look,
    )


def look(identity: float = 0.0, lightness: float = 60.0) -> FaceLook:
    """Make the looks of a face; faces of equal identity have distance 0."""
    descriptor = np.zeros(128)
    descriptor[0] = identity
    return FaceLook(descriptor, np.array([lightness, 10.0, 20.0]), 5.0)


def readings(opening: Floats) -> list[list[FaceReading]]:
    """Make the faces of each frame from openings [T, P]; NaN: no face. One look a second."""
    return [
        [
            reading(o, 100.0 + 150 * seat, t, look(float(seat)) if t % 25 == 0 else None)
            for seat, o in enumerate(row)
            if not np.isnan(o)
        ]
        for t, row in enumerate(opening)
    ]


def tracks(opening: Floats) -> FaceTracks:
    """Make tracks from openings [T, P]."""
    return build_tracks(readings(opening), opening.shape[1], FPS, SIZE_PX)


def observation(opening: Floats) -> Observation:
    """Make a watched video without pictures."""
    return Observation(VideoFormat(*SIZE_PX, FPS, 0), readings(opening), {}, 0.0, None)


def heard(expected: Floats, is_speaking: Flags) -> list[Heard]:
    """Make what each voice [T, P] says of its mouth."""
    return [Heard(e, (), s, "curves") for e, s in zip(expected.T, is_speaking.T, strict=True)]
