"""How far live wav2vec2 features are from those of the whole recording.

Shape letters: n samples at 16 kHz, T video frames, K measured frames, L layers, C channels.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2_frontend import FrameGrid, FrontEnd
from models.encoders.wav2vec2_statistics import (
    RunningStatistics,
    StatisticsConfig,
    no_statistics,
)
from models.encoders.wav2vec2_streaming import windows_in_view
from models.encoders.waveform import SAMPLE_RATE_HZ

UNSHAKABLE_SAMPLES = 1e15  # weight of statistics that no recording moves any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Distance of live features from the offline ones."""

    relative_l2: float  # |live - offline| / |offline| over all frames and layers
    cosine: float  # mean over frames and layers
    layer_relative_l2: tuple[float, ...]  # of each layer, 1..L


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One cell of the table."""

    lookahead_ms: int
    left_context_frames: int
    deviation: Deviation


class LiveVoice(NamedTuple):
    """One track up to the transformer, as a stream has it."""

    network: Wav2Vec2Network
    grid: FrameGrid
    conv: Tensor  # [T, conv C]


def compare(live: Tensor, offline: Tensor) -> Deviation:
    """Compare features [K, L, C] with those of the whole recording."""
    a, b = live.double(), offline.double()
    layers = (a - b).norm(dim=(0, 2)) / b.norm(dim=(0, 2))
    return Deviation(
        relative_l2=float((a - b).norm() / b.norm()),
        cosine=float(torch.cosine_similarity(a, b, dim=-1).mean()),
        layer_relative_l2=tuple(float(x) for x in layers),
    )


def frozen(config: StatisticsConfig) -> StatisticsConfig:
    """Make a config under which whole_statistics() stay what they are."""
    return replace(config, memory_s=UNSHAKABLE_SAMPLES, prior_s=1.0 / UNSHAKABLE_SAMPLES)


@torch.no_grad()
def whole_statistics(network: Wav2Vec2Network, samples: Tensor) -> RunningStatistics:
    """Gather the statistics of a whole recording, samples [n], as the offline form uses them."""
    conv = network.first_conv()
    x = samples.to(conv.weight.device)
    stride = network.config.conv_strides[0]
    y = F.conv1d(x.to(conv.weight.dtype)[None, None], conv.weight, stride=stride)[0].double()
    x = x.double()
    many = torch.full_like(x[0], UNSHAKABLE_SAMPLES)
    return RunningStatistics(
        many, many * 0, x.mean(), x.square().mean(), y.mean(dim=1), y.square().mean(dim=1)
    )


@torch.no_grad()
def hear(
    network: Wav2Vec2Network,
    grid: FrameGrid,
    samples: Tensor,
    config: StatisticsConfig,
    statistics: RunningStatistics | None = None,
) -> LiveVoice:
    """Take samples [n] through the convolutions as a stream does."""
    front = FrontEnd(network, grid, config)
    now = statistics or no_statistics(network.config.conv_channels[0], network.device)
    features = []
    for frame in range(grid.newest_frame(samples.shape[0]) + 1):
        seen = samples[front.needed_from(frame) : grid.field(frame).stop]
        feature, now = front.feature(frame, seen, now)
        features.append(feature)
    return LiveVoice(network, grid, torch.stack(features))


@torch.no_grad()
def sample_windows(
    voice: LiveVoice, frames: Sequence[int], *, lookahead_ms: int, left_context_frames: int
) -> Tensor:
    """Run the transformer for K frames alone, each as a stream with hops of 1 does.

    Returns their windows [K, 5, L, C].
    """
    windows = []
    for frame in frames:
        due = voice.grid.frame_end(frame) + lookahead_ms * SAMPLE_RATE_HZ // 1000
        oldest = max(0, frame - left_context_frames)
        view = voice.conv[oldest : min(voice.grid.newest_frame(due) + 1, len(voice.conv))]
        windows.append(windows_in_view(voice.network, view, oldest, range(frame, frame + 1)))
    return torch.cat(windows)


@torch.no_grad()
def median_run_ms(network: Wav2Vec2Network, frames: int, repeats: int = 5) -> float:
    """Time one run of the transformer over a view of so many frames."""
    view = torch.zeros(frames, network.config.conv_channels[-1], device=network.device)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        windows_in_view(network, view, 0, range(1)).cpu()  # waits for the device
        times.append(1e3 * (time.perf_counter() - start))
    return sorted(times)[repeats // 2]


def sweep(
    voice: LiveVoice,
    offline: Tensor,
    *,
    lookaheads_ms: Sequence[int],
    contexts_frames: Sequence[int],
    every: int,
) -> list[Setting]:
    """Measure every pair of look-ahead and left context on every `every`-th frame.

    offline [T, L, C] are the features of the same whole recording.
    """
    frames = range(0, offline.shape[0], every)
    settings = []
    for context in contexts_frames:
        for lookahead in lookaheads_ms:
            live = sample_windows(
                voice, frames, lookahead_ms=lookahead, left_context_frames=context
            )
            settings.append(
                Setting(
                    lookahead_ms=lookahead,
                    left_context_frames=context,
                    deviation=compare(live[:, 2], offline[::every]),
                )
            )
    return settings
