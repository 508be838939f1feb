"""How a convolution over time runs on a stream: by the last frames it saw, handed in and out.

Every layer of the VAE is called `y, kept = layer(x, past)`: `past` is None on the first frame of a
stream, `kept` is the past for the next call, empty for a layer that looks at single frames.

Shape letters: B batch, C channels, T frames of this call at this layer's rate, h, w size there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LayerCache = tuple[Tensor, ...]
"""What one layer keeps between calls: one tensor for each of its convolutions over time."""


class StreamCache(NamedTuple):
    """The frames each convolution over time saw last: all that a stream needs to go on.

    A value: no call changes one it was given, so an old one can be kept and gone on from again.
    Every tensor is [B, C, 2, h, w] ([B, C, 1, h, w] where the encoder halves the frame rate), of
    the same shape from the first latent frame of a stream on.
    """

    conv1: Tensor
    layers: tuple[LayerCache, ...]
    head: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """Give all tensors in the order in which the network reads them."""
        return (self.conv1, *(t for layer in self.layers for t in layer), self.head)


class CausalConv3d(nn.Module):
    """Convolve over time and space so that no output frame sees a later input frame.

    Source: `CausalConv3d` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: tuple[int, int, int], *, stride: int = 1
    ) -> None:
        """Hold a convolution with `stride` in time; space keeps its size."""
        super().__init__()
        plain = nn.Conv3d(in_channels, out_channels, kernel)  # for its initial weights
        self.weight, self.bias = plain.weight, plain.bias
        self.stride = (stride, 1, 1)
        self.padding = (0, kernel[1] // 2, kernel[2] // 2)
        self.past_frames = kernel[0] - stride

    def zero_past(self, x: Tensor) -> Tensor:
        """Give the past of a stream that has not begun, [B, C, past_frames, h, w]."""
        batch, channels, _, height, width = x.shape
        return x.new_zeros(batch, channels, self.past_frames, height, width)

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Convolve x [B, C, T, h, w], T a multiple of the stride, behind its past.

        `past` [B, C, past_frames, h, w] is what the last call returned, zeros where None. The past
        for the next call shares no memory with x.
        """
        x = torch.cat([self.zero_past(x) if past is None else past, x], dim=2)
        y = F.conv3d(x, self.weight, self.bias, self.stride, self.padding)
        # Cloned: a slice would keep all of x alive until the next call.
        return y, x[:, :, -self.past_frames :].clone()
