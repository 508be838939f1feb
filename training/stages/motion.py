"""How faces move, as the model is told it: 52 curves, lip gap, head.

Shape letters: P people, T video frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.stages.audio.lip_gap import GAP_UNIT_MM
from training.studio.performance_data import ARKIT
from training.studio.shards.reader import Sample

MOTION_CHANNELS = len(ARKIT) + 4  # lip gap; yaw, pitch, roll
LIP_GAP = len(ARKIT)
HEAD = slice(LIP_GAP + 1, MOTION_CHANNELS)


def motion_of(sample: Sample) -> NDArray[np.float32]:
    """Give a clip's motion [P, T, 56]: curves 0..1, lip gap in 10 mm, head in radians."""
    labels = sample.labels
    gap = labels["lip_gap_mm"].astype(np.float32)[..., None] / GAP_UNIT_MM
    parts = [labels["curves"].astype(np.float32), gap, labels["head_rad"].astype(np.float32)]
    return np.concatenate(parts, axis=-1)


def _other_side(name: str) -> str:
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


# In a mirror the left curve is the right one, and yaw and roll turn the other way.
MIRRORED_MOTION = [ARKIT.index(_other_side(name)) for name in ARKIT] + [52, 53, 54, 55]
MIRRORED_SIGNS = np.array([1.0] * 53 + [-1.0, 1.0, -1.0], np.float32)
