"""How heads move: they follow the eyes late, sway, beat with speech, and make named gestures.

Angles in radians: yaw > 0 turns to the viewer's right, pitch > 0 up. T is video frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from training.studio.acting.attention import Seated
from training.studio.acting.expressions import act_amount, smooth_noise
from training.studio.performance_data import FPS, Act, Floats

FOLLOW_YAW, FOLLOW_PITCH = 0.55, 0.4  # share of a gaze shift that the head takes over
FOLLOW_RATE = 0.14  # of the way that is left, each frame: a head arrives after half a second
FOLLOW_LIMIT_RAD = 0.5
SWAY_RAD = np.array([0.05, 0.03, 0.022])  # standard deviation of yaw, pitch, roll
SWAY_FRAMES = (20.0, 14.0, 22.0)
BEAT_RAD = 0.045  # how far a stressed syllable lowers the head
BEAT_LAG_FRAMES = 2
BEAT_WIDTH_FRAMES = 2.2
GESTURE_EDGE_FRAMES = 5.0

NOD_RAD, NOD_HZ = 0.12, 1.5
SHAKE_RAD, SHAKE_HZ = 0.17, 1.25
TILT_RAD = 0.17

FloatArray = NDArray[np.float64]


def head_angles(
    centers: Floats,
    seat: Seated,
    energy: FloatArray,
    acts: Sequence[Act],
    rng: np.random.Generator,
) -> FloatArray:
    """Give a head's [T, 3] yaw, pitch and roll against the body.

    `centers` [T, 3] are the points that the eyes are on; `energy` [T] is the loudness of the
    person's own voice, 0 silent and 1 loud.
    """
    frames = len(centers)
    head = np.zeros((frames, 3))
    head[:, :2] = _following(centers, seat)
    liveliness = float(rng.uniform(0.7, 1.3))
    talking = gaussian_filter1d(np.clip(energy * 2, 0, 1), 8.0)
    for axis, (sway, keeps) in enumerate(zip(SWAY_RAD, SWAY_FRAMES, strict=True)):
        amount = sway * liveliness * (0.45 + 0.55 * talking)
        head[:, axis] += smooth_noise(frames, keeps, rng) * amount
    head[:, 1] -= _beats(energy, rng) * liveliness
    return head + _gestures(acts, frames, rng)


def facing(seat: Seated) -> FloatArray:
    """Give a head's yaw, pitch and roll [3] against the body when it has turned to the camera."""
    return np.append(_wanted(np.zeros((1, 3), np.float32), seat)[0], 0.0)


def _wanted(centers: Floats, seat: Seated) -> FloatArray:
    """Give the yaw and pitch [T, 2] that a head strives for."""
    ahead = centers.astype(np.float64) - np.asarray(seat.eyes_m)
    yaw = np.arctan2(ahead[:, 0], ahead[:, 2]) - seat.yaw_rad
    yaw = (yaw + np.pi) % (2 * np.pi) - np.pi
    pitch = np.arctan2(ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
    wanted = np.stack([yaw * FOLLOW_YAW, pitch * FOLLOW_PITCH], axis=1)
    limited: FloatArray = wanted.clip(-FOLLOW_LIMIT_RAD, FOLLOW_LIMIT_RAD)
    return limited


def _following(centers: Floats, seat: Seated) -> FloatArray:
    wanted = _wanted(centers, seat)
    followed = np.empty_like(wanted)
    now = wanted[0]
    for frame, goal in enumerate(wanted):
        now = now + FOLLOW_RATE * (goal - now)
        followed[frame] = now
    return followed


def _beats(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Give [T] how far stressed syllables push the head down."""
    smooth = gaussian_filter1d(energy, 1.5)
    peaks, _ = find_peaks(smooth, prominence=0.15, distance=6)
    beats = np.zeros(len(energy))
    for peak in peaks:
        if rng.random() < 0.6 and peak + BEAT_LAG_FRAMES < len(beats):
            beats[peak + BEAT_LAG_FRAMES] += float(smooth[peak] * rng.uniform(0.4, 1.0))
    width = BEAT_WIDTH_FRAMES
    soft: FloatArray = gaussian_filter1d(beats, width) * width * np.sqrt(2 * np.pi) * BEAT_RAD
    return soft


def _gestures(acts: Sequence[Act], frames: int, rng: np.random.Generator) -> FloatArray:
    turns = np.zeros((frames, 3))
    for act in acts:
        if act.name not in ("nodding", "shaking_head", "tilting_head"):
            continue
        amount = act_amount(act, frames, GESTURE_EDGE_FRAMES)
        side = float(rng.choice([-1, 1]))
        seconds = (np.arange(frames) - act.start_frame) / FPS
        pace = float(rng.uniform(0.85, 1.15))
        if act.name == "nodding":
            turns[:, 1] -= amount * NOD_RAD * np.sin(2 * np.pi * NOD_HZ * pace * seconds)
        elif act.name == "shaking_head":
            wave = np.sin(2 * np.pi * SHAKE_HZ * pace * seconds)
            turns[:, 0] += amount * SHAKE_RAD * side * wave
        else:
            turns[:, 2] += amount * TILT_RAD * side
    return turns
