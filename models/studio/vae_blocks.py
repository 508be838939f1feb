"""Convolution blocks of the studio's autoencoder: no norms, so int8 needs no special care.

Up- and downsampling carry a parameter-free shortcut, which is what makes a network without norms
learn quickly.

Shape letters: B batch of pictures or frames, C channels, h and w size at a block's own scale.
Source of the shortcuts: DC-AE (arXiv 2410.10733, section 3.1).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1
START_GAIN = 0.3  # resampling starts out as its shortcut and little else


def activate(x: Tensor) -> Tensor:
    """Apply the leaky rectifier used throughout."""
    return F.leaky_relu(x, SLOPE)


def _start_small(conv: nn.Conv2d) -> None:
    fan_in = conv.weight[0].numel()
    nn.init.normal_(conv.weight, 0, START_GAIN / fan_in**0.5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def _start_at_zero(conv: nn.Conv2d) -> None:
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)


def fold_channels(x: Tensor, channels: int) -> Tensor:
    """Average x [B, C, h, w] over groups of channels to [B, channels, h, w], keeping its variance.

    When C is no multiple of `channels`, channels are repeated first.
    """
    groups = -(-x.shape[1] // channels)
    spread = repeat_channels(x, groups * channels)
    grouped = spread.reshape(x.shape[0], channels, groups, *x.shape[2:])
    return grouped.mean(2) * math.sqrt(groups)


def repeat_channels(x: Tensor, channels: int) -> Tensor:
    """Repeat the channels of x [B, C, h, w] in place until there are `channels`."""
    times = -(-channels // x.shape[1])
    return x.repeat_interleave(times, dim=1)[:, :channels]


def modulated(x: Tensor, moved: Tensor | None) -> Tensor:
    """Scale and shift x [B, C, h, w] by the halves of moved [B, 2 C, h or 1, w or 1]; None: not."""
    if moved is None:
        return x
    scale, shift = moved.chunk(2, dim=1)
    return x + x * scale + shift


class ResBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        _start_at_zero(self.conv2)

    def forward(self, x: Tensor, moved: Tensor | None = None) -> Tensor:
        """Map x [B, C, h, w] to the same shape; moved [B, 2 C, h, w] as in `modulated`."""
        x = modulated(x, moved)
        added: Tensor = self.conv2(activate(self.conv1(activate(x))))
        return x + added


class PastBlock(nn.Module):
    """A residual block that also sees what came directly before, at the same place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.past = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        _start_at_zero(self.conv2)

    def forward(self, x: Tensor, before: Tensor, moved: Tensor | None = None) -> Tensor:
        """Map x [B, C, h, w], with `before` of the same shape one moment earlier."""
        x = modulated(x, moved)
        inner = self.conv1(activate(x)) + self.past(activate(before))
        added: Tensor = self.conv2(activate(inner))
        return x + added


class Down(nn.Module):
    """Downsamples by `factor` with a strided convolution beside a folded shortcut."""

    def __init__(self, channels: int, out_channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv2d(channels, out_channels, factor, factor)
        _start_small(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, h, w] to [B, out_channels, h / factor, w / factor]."""
        y: Tensor = self.conv(x)
        return y + fold_channels(F.pixel_unshuffle(x, self.factor), y.shape[1])


class Up(nn.Module):
    """Doubles the size, and may split one latent frame into its video frames on the way."""

    def __init__(self, channels: int, out_channels: int, frames: int = 1) -> None:
        super().__init__()
        self.frames = frames
        self.conv = nn.Conv2d(channels, out_channels * 4 * frames, 1)
        _start_small(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, h, w] to [B * frames, out_channels, 2 h, 2 w], frames fastest."""
        y: Tensor = self.conv(activate(x))
        y = y + repeat_channels(x, y.shape[1])
        b, c, h, w = y.shape
        split = y.reshape(b * self.frames, c // self.frames, h, w)
        return F.pixel_shuffle(split, 2).contiguous(memory_format=torch.channels_last)
