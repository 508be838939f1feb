"""The distance of the inner lips, in millimeters, as a function of the curves.

Blend shapes add up, and the studio moves every head by the same amounts (people differ in their
shape at rest), so the lip gap is linear in the curves, exactly. The table was read from the figures
of 32 people; a test builds some and compares. At rest the gap is 0.2 +- 0.8 mm, a person's own:
it is no part of what a voice tells and is left out.
"""

from __future__ import annotations

import numpy as np

from training.studio.acting.viseme_shapes import arkit_vector
from training.studio.performance_data import ARKIT, Floats

# Millimeters at a curve of 1, to 0.1 mm; negative presses the lips together.
GAP_MM_BY_CURVE: dict[str, float] = {
    **{"jawOpen": 34.2, "mouthClose": -34.2, "jawForward": 1.4, "mouthFunnel": 13.2},
    **{"mouthPucker": -1.2, "mouthLeft": -1.1, "mouthRight": -1.1, "cheekPuff": -1.2},
    **{"mouthSmileLeft": -1.5, "mouthSmileRight": -1.5, "mouthPressLeft": -1.3},
    **{"mouthPressRight": -1.3, "mouthRollLower": -3.2, "mouthRollUpper": -2.8},
    **{"mouthShrugLower": -5.0, "mouthShrugUpper": 4.1, "mouthLowerDownLeft": 1.9},
    **{"mouthLowerDownRight": 1.9, "mouthUpperUpLeft": 2.4, "mouthUpperUpRight": 2.4},
    **{"mouthFrownLeft": 0.1, "mouthFrownRight": 0.1, "mouthDimpleLeft": 0.1},
    **{"mouthDimpleRight": 0.2, "mouthStretchLeft": 0.2, "mouthStretchRight": 0.2},
    **{"noseSneerLeft": 0.1, "noseSneerRight": 0.1},
}
GAP_UNIT_MM = 10.0  # the network's 53rd curve counts in this unit, so that it is near 0..1.5

_WEIGHTS = sum(
    (arkit_vector(**{name: amount}) for name, amount in GAP_MM_BY_CURVE.items()),
    start=np.zeros(len(ARKIT), np.float32),
)


def lip_gap_mm(curves: Floats) -> Floats:
    """Give the lip gap [T] of curves [T, 52], millimeters beyond the gap at rest."""
    return np.asarray(curves @ _WEIGHTS, np.float32)
