"""A small streaming audio encoder: a live voice in, features and mouth curves at 25 fps out.

Shape letters: B voices, T video frames of 640 samples, C channels, L steps of a layer.

The network is causal and its output is late by the look-ahead: after the samples of T frames it
emits T frames, the last of which lies `look_ahead_frames` before the newest sample. Pushing the
first `look_ahead_frames` of a stream therefore yields frames from before its start, to be dropped.
State is a value: one tensor for each layer that remembers, zeros before the first sample. Stream
equals whole however a stream is cut into calls of whole frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.studio.audio_config import FRAME_SAMPLES, AudioEncoderConfig
from models.studio.log_mel import LogMel

GAP_UNIT_MM = 10.0  # the last curve is the lip gap in this unit: 0 at rest, below 0 pressed
KERNEL = 3
EPSILON = 1e-5

State = tuple[Tensor, ...]


class AudioFrames(NamedTuple):
    """What is heard in T video frames."""

    features: Tensor  # [B, T, features]
    curves: Tensor  # [B, T, 53] 52 ARKit coefficients, then the lip gap in units of 10 mm


class CausalConv(nn.Module):
    """A convolution over time that takes its past as an argument and gives the next one."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, dilation=dilation)
        self.past_shape = (inputs, (kernel - 1) * dilation + 1 - stride)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Give y [B, outputs, L / stride] of x [B, inputs, L] and the next past."""
        seen = torch.cat([past, x], dim=2)
        return self.conv(seen), seen[:, :, seen.shape[2] - past.shape[2] :]


class ResidualBlock(nn.Module):
    """Adds to each step what a dilated convolution finds around and before it."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))
        self.causal = CausalConv(channels, channels, KERNEL, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1, bias=False)
        nn.init.zeros_(self.mix.weight)  # a new block changes nothing

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Give y [B, C, L] of x [B, C, L] and the next past [B, C, 2 * dilation]."""
        # Normalized over the channels of one step: loudness cannot reach the future through it.
        norm = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPSILON) * self.gain
        found, past = self.causal(norm, past)
        return x + self.mix(nn.functional.gelu(found)), past


class AudioEncoder(nn.Module):
    """Log-mel, two strided convolutions with residual blocks behind each, two linear heads."""

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config)
        width = config.channels
        self.down1 = CausalConv(config.mels, width, 4, stride=2)
        self.fast = nn.ModuleList(ResidualBlock(width, d) for d in config.fast_dilations)
        self.down2 = CausalConv(width, width, 4, stride=2)
        self.slow = nn.ModuleList(ResidualBlock(width, d) for d in config.slow_dilations)
        self.to_features = nn.Conv1d(width, config.features, 1)
        self.to_curves = nn.Conv1d(config.features, config.curves, 1)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Name the state's tensors, in their order."""
        fast = [f"fast.{index}" for index in range(len(self.fast))]
        slow = [f"slow.{index}" for index in range(len(self.slow))]
        return ("samples", "down1", *fast, "down2", *slow)

    def state_shapes(self, batch: int) -> tuple[tuple[int, ...], ...]:
        """Give the shapes of the state's tensors, in their order."""
        convs = [self.down1, *self._convs(self.fast), self.down2, *self._convs(self.slow)]
        return ((batch, self.log_mel.past_samples), *((batch, *c.past_shape) for c in convs))

    def zero_state(self, batch: int) -> State:
        """Give the state before the first sample; it is the weights' in dtype and device."""
        weight = self.to_features.weight
        return tuple(weight.new_zeros(shape) for shape in self.state_shapes(batch))

    def forward(self, samples: Tensor, state: State) -> tuple[AudioFrames, State]:
        """Hear samples [B, T * 640], float32 in -1..1, and give T frames and the next state.

        Frame t of the result lies `look_ahead_frames` before frame t of the samples.

        Raises:
            InputError: when the samples are no whole frames of several voices, or the state is of
                another network or number of voices.
        """
        self._check(samples, state)
        log_mel, past = self.log_mel(samples, state[0])
        frames, rest = self.listen(log_mel, state[1:])
        return frames, (past, *rest)

    def listen(self, log_mel: Tensor, state: State) -> tuple[AudioFrames, State]:
        """Do the same from log-mels [B, mels, T * 4]; `state` is without its first tensor."""
        past = iter(state)
        following: list[Tensor] = []
        x, new = self.down1(log_mel, next(past))
        following.append(new)
        for block in self.fast:
            x, new = block(x, next(past))
            following.append(new)
        x, new = self.down2(nn.functional.gelu(x), next(past))
        following.append(new)
        for block in self.slow:
            x, new = block(x, next(past))
            following.append(new)
        features = self.to_features(x)
        curves = self.to_curves(nn.functional.gelu(features))
        return AudioFrames(features.transpose(1, 2), curves.transpose(1, 2)), tuple(following)

    @staticmethod
    def _convs(blocks: nn.ModuleList) -> list[CausalConv]:
        return [block.causal for block in blocks if isinstance(block, ResidualBlock)]

    def _check(self, samples: Tensor, state: State) -> None:
        if samples.ndim != 2 or not samples.shape[1] or samples.shape[1] % FRAME_SAMPLES:
            raise InputError(
                f"samples must be [B, T * {FRAME_SAMPLES}], whole video frames at 16 kHz, "
                f"got {list(samples.shape)}"
            )
        expected = self.state_shapes(samples.shape[0])
        got = tuple(tuple(tensor.shape) for tensor in state)
        if got != expected:
            raise InputError(
                f"the state is of another network or another number of voices: expected tensors "
                f"{expected}, got {got}; start a stream with zero_state({samples.shape[0]})"
            )
