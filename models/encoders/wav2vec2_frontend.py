"""The convolution half of live wav2vec2: which samples make which video frame, one at a time.

Shape letters: n samples, C convolution channels. Video frame k shows audio k/fps .. (k+1)/fps s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2_statistics import (
    RunningStatistics,
    StatisticsConfig,
    channel_scale,
    prior_variance,
    update,
)
from models.encoders.waveform import SAMPLE_RATE_HZ
from models.errors import ConfigError


class Span(NamedTuple):
    """Samples start..stop-1 of the stream."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameGrid:
    """Where video frames lie on the convolution's 50 Hz grid, in whole numbers for hours.

    Frame k sits at convolution frame k * 50 / fps, which is what the offline stretch tends to,
    and at 25 fps exactly what it gives for recordings of whole video frames: 2k.
    """

    fps: int
    hop_samples: int
    field_samples: int

    def __post_init__(self) -> None:
        if SAMPLE_RATE_HZ % self.hop_samples:
            raise ConfigError(f"{SAMPLE_RATE_HZ} Hz is not a multiple of {self.hop_samples=}")

    def frame_end(self, frame: int) -> int:
        """Samples that have arrived when video frame `frame` is complete (640 (k+1) at 25 fps)."""
        return -(-(frame + 1) * SAMPLE_RATE_HZ // self.fps)

    def complete_frames(self, samples: int) -> int:
        """Video frames that lie wholly within `samples` samples."""
        return samples * self.fps // SAMPLE_RATE_HZ

    def fraction(self, frame: int) -> float:
        """How far frame sits between its two convolution frames, 0 for exactly on the first."""
        rate = SAMPLE_RATE_HZ // self.hop_samples
        return (frame * rate) % self.fps / self.fps

    def field(self, frame: int) -> Span:
        """Samples that the one or two convolution frames of a video frame see."""
        rate = SAMPLE_RATE_HZ // self.hop_samples
        start = frame * rate // self.fps * self.hop_samples
        between = self.hop_samples if self.fraction(frame) else 0
        return Span(start, start + between + self.field_samples)

    def newest_frame(self, samples: int) -> int:
        """Newest video frame whose field lies wholly within `samples` samples, -1 for none."""
        frame = self.complete_frames(samples)
        while frame >= 0 and self.field(frame).stop > samples:
            frame -= 1
        return frame

    def overhang_samples(self) -> int:
        """Most samples by which a frame's field reaches past the frame's own end, at least 0."""
        return max(0, *(self.field(k).stop - self.frame_end(k) for k in range(self.fps)))


class FrontEnd:
    """Computes convolution features of single video frames. Read-only once built.

    Each call sees the same shapes for the same frame number whatever was pushed when, so that
    its result is the same to the bit.
    """

    def __init__(self, network: Wav2Vec2Network, grid: FrameGrid, config: StatisticsConfig) -> None:
        self._network = network
        self._grid = grid
        self._config = config
        self._first = network.first_conv()
        self._prior = prior_variance(self._first.weight)
        self._kernel = network.config.conv_kernels[0]
        self._stride = network.config.conv_strides[0]

    def needed_from(self, frame: int) -> int:
        """Index of the first sample that this frame and those after it need."""
        return min(self._counted_positions(frame) * self._stride, self._grid.field(frame).start)

    def feature(
        self, frame: int, samples: Tensor, past: RunningStatistics
    ) -> tuple[Tensor, RunningStatistics]:
        """Compute video frame `frame` from samples [n], needed_from(frame) to its field's end.

        Returns its feature [C] and the statistics with this frame's audio counted.
        """
        first_position = self.needed_from(frame) // self._stride
        conv = self._first
        # A copy lies in aligned memory, and so gives the same bits wherever the slice began.
        x = samples.to(conv.weight.device, copy=True)
        raw = F.conv1d(x.to(conv.weight.dtype)[None, None], conv.weight, stride=self._stride)[0]
        new = self._counted_positions(frame) - first_position
        fresh = x[new * self._stride : raw.shape[1] * self._stride]
        now = update(past, fresh, raw[:, new:], self._config)

        scale = channel_scale(now, self._prior, conv.norm_eps, self._config)
        own = raw[:, self._grid.field(frame).start // self._stride - first_position :].float()
        own = (own - scale.mean[:, None]) * (scale.gain * conv.norm_weight)[:, None]
        y = self._network.after_first_conv((own + conv.norm_bias[:, None])[None])[0]
        first, last = y[:, 0].float(), y[:, -1].float()  # one and the same on the 50 Hz grid
        return torch.lerp(first, last, self._grid.fraction(frame)).to(y.dtype), now

    def _counted_positions(self, frame: int) -> int:
        """Outputs of the first convolution that the frames before this one have counted."""
        if frame == 0:
            return 0
        return (self._grid.field(frame - 1).stop - self._kernel) // self._stride + 1
