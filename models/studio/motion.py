"""What a network is told of how faces move, and in what scale.

Shape letters: B batch, P people, T video frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.studio.config import HEAD_ANGLES, MOUTH_CURVES, SPEECH_CURVES, MotionGroup

MOTION_CHANNELS = MOUTH_CURVES + HEAD_ANGLES
TOLD_WIDTH = MOTION_CHANNELS + len(MotionGroup)  # of what `MotionLayout` gives

# Features of a voice deviate by about 3, curves by a tenth: unscaled, they would hardly be heard
# beside them. So each channel of motion is brought to the features' scale: curves, lip gap, head.
CURVE_GAIN, GAP_GAIN, HEAD_GAIN = 20.0, 6.0, 30.0


class Motion(NamedTuple):
    """What is told of how faces move; what is unknown is left to the model."""

    values: Tensor  # [B, P, T, 56]: 52 ARKit coefficients, lip gap in 10 mm, head angles in radians
    known: Tensor  # [B, P, T, 3] 1 or 0: speech, expression, head


class MotionLayout(nn.Module):
    """Group and gain of each channel of `Motion.values`, as constants of the graph."""

    spread: Tensor
    gain: Tensor

    def __init__(self) -> None:
        super().__init__()
        spread = torch.zeros(len(MotionGroup), MOTION_CHANNELS)
        spread[1, :MOUTH_CURVES] = 1
        spread[0, list(SPEECH_CURVES)] = 1
        spread[1, list(SPEECH_CURVES)] = 0
        spread[2, MOUTH_CURVES:] = 1
        self.register_buffer("spread", spread, persistent=False)
        gain = torch.full((MOTION_CHANNELS,), CURVE_GAIN)
        gain[MOUTH_CURVES - 1], gain[MOUTH_CURVES:] = GAP_GAIN, HEAD_GAIN
        self.register_buffer("gain", gain, persistent=False)

    def forward(self, motion: Motion) -> Tensor:
        """Give [B, P, T, 56 + 3]: known channels, zeros for the others, and what is known."""
        told = motion.values * self.gain * (motion.known @ self.spread)
        return torch.cat([told, motion.known], dim=-1)
