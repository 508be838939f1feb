"""A small network that reads mouths, so that the autoencoder is told what a mouth is about.

It learns on rendered mouths alone what their curves are. The autoencoder is then asked for mouths
that look the same to it: a lip out of place by a pixel is a small error of pixels and a large one
of reading. It never judges; the face mesh of `judged_lips` does, which training does not touch.

Shape letters: B batch, T video frames, S side of a crop, W side of a mouth's window, M motion.
Source of comparing features: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric" (arXiv 1801.03924).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from training.stages.motion import MOTION_CHANNELS

WINDOW_PX = 32  # side of a mouth as it is read, whatever its size in the picture
WINDOW_WIDTH = 0.6  # the same, of the face's width
CHANNELS = (24, 32, 64, 96)


class Reading(NamedTuple):
    """What a mouth says to the reader."""

    features: tuple[Tensor, ...]  # [B * T, c, w, w] at falling sizes
    motion: Tensor  # [B * T, M]


class LipReader(nn.Module):
    """Four convolutions and a linear map."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *CHANNELS)
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 3, stride=1 if i == 0 else 2, padding=1)
            for i in range(len(CHANNELS))
        )
        side = WINDOW_PX // 2 ** (len(CHANNELS) - 1)
        self.to_motion = nn.Linear(CHANNELS[-1] * side**2, MOTION_CHANNELS)

    def forward(self, mouths: Tensor) -> Reading:
        """Read mouths [B * T, 3, W, W] in -1..1."""
        x, features = mouths, []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            features.append(x)
        return Reading(tuple(features), self.to_motion(x.flatten(1)))

    def frozen(self, mouths: Tensor) -> Reading:
        """Read without learning: gradients reach the mouths and stop there."""
        held = {name: parameter.detach() for name, parameter in self.named_parameters()}
        reading: Reading = functional_call(self, held, (mouths,))
        return reading


def mouth_windows(video: Tensor, mouth: Tensor, face_width: Tensor) -> Tensor:
    """Cut the mouths out of a video, all at one size: [B * T, 3, W, W].

    Args:
        video: [B, 3, T, S, S].
        mouth: [B, T, 2] in pixels, across and down.
        face_width: [B] in pixels.
    """
    side = video.shape[-1]
    reach = WINDOW_WIDTH / 2 * face_width / side * 2  # half a window, where a crop spans -1..1
    steps = (torch.arange(WINDOW_PX, device=video.device) + 0.5) / WINDOW_PX * 2 - 1
    window = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    middle = (mouth + 0.5) / side * 2 - 1
    grid = middle[:, :, None, None] + reach[:, None, None, None, None] * window
    pictures = video.transpose(1, 2).flatten(0, 1)
    return F.grid_sample(pictures, grid.flatten(0, 1), padding_mode="border", align_corners=False)


def unlikeness(made: Reading, true: Reading) -> Tensor:
    """Compare how mouths look and what they say, mouth by mouth: [B * T].

    Features count by their direction at every position, so that no layer outweighs another.
    """
    total = (made.motion - true.motion).abs().mean(1)
    for a, b in zip(made.features, true.features, strict=True):
        total = total + (_directions(a) - _directions(b)).square().sum(1).mean((1, 2))
    return total


def _directions(features: Tensor) -> Tensor:
    return features * torch.rsqrt(features.square().sum(1, keepdim=True) + 1e-6)
