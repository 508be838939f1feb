"""wav2vec2 for a live voice: bounded look-ahead, bounded left context, state as a value.

Every emitted video frame comes from one run of the transformer over the frames from `left
context` before to `look-ahead` after it. The result depends on the samples alone: not on how they
were cut into pushes, nor on other streams.

Shape letters: n samples at 16 kHz, T emitted video frames, L layers, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders.wav2vec2 import WINDOW_RADIUS_FRAMES, Wav2Vec2Network, window_index
from models.encoders.wav2vec2_frontend import FrameGrid, FrontEnd
from models.encoders.wav2vec2_statistics import (
    RunningStatistics,
    StatisticsConfig,
    no_statistics,
)
from models.encoders.waveform import SAMPLE_RATE_HZ, AudioRecipe, check_waveform
from models.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingConfig:
    """How much past and future each frame sees, and how often the transformer runs."""

    lookahead_ms: int  # audio awaited after a frame's own end; the windows cost nothing more
    left_context_frames: int  # video frames of past
    hop_frames: int  # frames emitted by one run; runs end at multiples, as latent frames do
    statistics: StatisticsConfig

    def __post_init__(self) -> None:
        if self.lookahead_ms < 0 or self.hop_frames < 1:
            raise ConfigError(
                f"lookahead_ms={self.lookahead_ms} must not be below 0 and "
                f"hop_frames={self.hop_frames} not below 1"
            )
        if self.left_context_frames < WINDOW_RADIUS_FRAMES:
            raise ConfigError(
                f"left_context_frames={self.left_context_frames} must cover the window's "
                f"{WINDOW_RADIUS_FRAMES} frames of past"
            )

    @property
    def lookahead_samples(self) -> int:
        """The look-ahead at 16 kHz."""
        return self.lookahead_ms * SAMPLE_RATE_HZ // 1000


def live_audio() -> StreamingConfig:
    """Give the live setting: 80 ms of look-ahead, 4 s of past, one run for each latent frame.

    docs/audio-features.md has the measurements it was chosen by.
    """
    return StreamingConfig(
        lookahead_ms=80,
        left_context_frames=100,
        hop_frames=4,
        statistics=StatisticsConfig(
            gate_dbfs=-60.0, hangover_s=1.0, memory_s=30.0, prior_s=0.5, prior_dbfs=-26.0
        ),
    )


@dataclass(frozen=True, slots=True)
class StreamState:
    """Everything one voice's stream remembers; bounded, and a value that step() returns anew."""

    samples: Tensor  # [n] float32 on the CPU, from first_sample on, not yet used up
    first_sample: int
    statistics: RunningStatistics
    conv: Tensor  # [m, conv C] features of the video frames before next_conv_frame, newest last
    next_conv_frame: int
    next_frame: int  # first video frame not emitted yet

    @property
    def received_samples(self) -> int:
        """Samples pushed since the stream began."""
        return self.first_sample + self.samples.shape[0]


class StreamFeatures(NamedTuple):
    """Features of consecutive video frames, the first of them numbered first_frame."""

    first_frame: int
    windows: Tensor  # [T, 5, L, C], offsets -2..+2 as seen by the run that emitted the frame

    @property
    def features(self) -> Tensor:
        """The frames themselves, [T, L, C]."""
        return self.windows[:, WINDOW_RADIUS_FRAMES]


def windows_in_view(network: Wav2Vec2Network, view: Tensor, oldest: int, frames: range) -> Tensor:
    """Run the transformer over view [m, conv C], video frames oldest.. , once.

    Returns the windows [T, 5, L, C] around `frames`, clamped to what is in view.
    """
    states = network.hidden_states(view.clone()[None])[0]  # aligned memory: see FrontEnd
    newest = oldest + view.shape[0] - 1
    index = window_index(frames.start, len(frames), last_frame=newest) - oldest
    return states[index.to(states.device)]


class StreamingWav2Vec2:
    """Turns one live voice after another into features. Holds weights only, so streams share it.

    Frame k (with its window) is emitted by the step() that completes `lookahead_ms` after the end
    of frame k, or of the last frame of its hop. Windows need no wait of their own: the frames
    k+1 and k+2 come from the same run, with less look-ahead, and are clamped to its newest frame
    where the look-ahead does not reach that far.
    """

    def __init__(
        self, network: Wav2Vec2Network, recipe: AudioRecipe, config: StreamingConfig
    ) -> None:
        grid = FrameGrid(
            fps=recipe.fps,
            hop_samples=network.config.hop_samples,
            field_samples=network.config.field_samples,
        )
        if config.lookahead_samples < grid.overhang_samples():
            least_ms = -(-grid.overhang_samples() * 1000 // SAMPLE_RATE_HZ)
            raise ConfigError(
                f"lookahead_ms={config.lookahead_ms} is below the {least_ms} ms that a frame's "
                f"convolution needs at {recipe.fps} fps"
            )
        self.network = network
        self.recipe = recipe
        self.config = config
        self.grid = grid
        self._front = FrontEnd(network, grid, config.statistics)

    def begin(self, statistics: RunningStatistics | None = None) -> StreamState:
        """Start a stream, with the statistics of the speaker's earlier one if at hand."""
        config, device = self.network.config, self.network.device
        conv = torch.empty(0, config.conv_channels[-1], dtype=self.network.dtype, device=device)
        known = statistics or no_statistics(config.conv_channels[0], device)
        return StreamState(torch.empty(0, dtype=torch.float32), 0, known, conv, 0, 0)

    @torch.no_grad()
    def step(self, samples: Tensor, state: StreamState) -> tuple[StreamFeatures, StreamState]:
        """Push samples [n], float32 in [-1, 1], any n, and get the frames that became ready.

        Raises:
            InputError: when samples are no mono float32 track; the state stays usable.
        """
        check_waveform(samples)
        state = replace(state, samples=torch.cat([state.samples, samples.cpu()]))
        runs = []
        first_frame = state.next_frame
        while state.received_samples >= self._due(state.next_frame):
            last = self._hop_end(state.next_frame)
            newest = self.grid.newest_frame(self._due(last))
            windows, state = self._run(state, last, newest)
            runs.append(windows)
        return self._joined(first_frame, runs), self._trimmed(state)

    @torch.no_grad()
    def flush(self, state: StreamState) -> StreamFeatures:
        """End the stream and get the frames still owed, each seeing what there is.

        An incomplete last frame is dropped or filled up with silence, as the recipe rounds.
        """
        samples, fps = state.received_samples, self.recipe.fps
        frames = self.grid.complete_frames(samples)
        if self.recipe.rounding == "ceil":
            frames = -(-samples * fps // SAMPLE_RATE_HZ)
        first_frame = state.next_frame
        silence = max(0, self.grid.field(max(0, frames - 1)).stop - samples)
        state = replace(state, samples=F.pad(state.samples, (0, silence)))
        runs = []
        while state.next_frame < frames:
            last = min(self._hop_end(state.next_frame), frames - 1)
            newest = min(self.grid.newest_frame(self._due(last)), frames - 1)
            windows, state = self._run(state, last, newest)
            runs.append(windows)
        return self._joined(first_frame, runs)

    def _hop_end(self, frame: int) -> int:
        """Last frame of the hop that contains `frame`: the first hop is frame 0 alone."""
        return -(-frame // self.config.hop_frames) * self.config.hop_frames

    def _due(self, frame: int) -> int:
        """Samples that must have arrived before frame's hop is emitted."""
        return self.grid.frame_end(self._hop_end(frame)) + self.config.lookahead_samples

    def _run(self, state: StreamState, last: int, newest: int) -> tuple[Tensor, StreamState]:
        """Emit frames next_frame..last, [T, 5, L, C], with frames up to newest in view."""
        state = self._heard(state, newest)
        oldest = max(0, state.next_frame - self.config.left_context_frames)
        first_kept = state.next_conv_frame - state.conv.shape[0]
        view = state.conv[oldest - first_kept : newest + 1 - first_kept]
        windows = windows_in_view(self.network, view, oldest, range(state.next_frame, last + 1))
        state = replace(
            state,
            next_frame=last + 1,
            conv=state.conv[max(0, last + 1 - self.config.left_context_frames - first_kept) :],
        )
        return windows, state

    def _heard(self, state: StreamState, newest: int) -> StreamState:
        """Compute convolution features up to video frame `newest`."""
        statistics, conv = state.statistics, [state.conv]
        for frame in range(state.next_conv_frame, newest + 1):
            start, stop = self._front.needed_from(frame), self.grid.field(frame).stop
            piece = state.samples[start - state.first_sample : stop - state.first_sample]
            feature, statistics = self._front.feature(frame, piece, statistics)
            conv.append(feature[None])
        next_frame = max(newest + 1, state.next_conv_frame)
        return replace(
            state, statistics=statistics, conv=torch.cat(conv), next_conv_frame=next_frame
        )

    def _trimmed(self, state: StreamState) -> StreamState:
        """Let go of samples that no later frame needs."""
        needed = min(self._front.needed_from(state.next_conv_frame), state.received_samples)
        kept = state.samples[needed - state.first_sample :].clone()
        return replace(state, samples=kept, first_sample=needed)

    def _joined(self, first_frame: int, runs: list[Tensor]) -> StreamFeatures:
        config = self.network.config
        shape = (0, 2 * WINDOW_RADIUS_FRAMES + 1, config.layers, config.channels)
        none = torch.empty(shape, dtype=self.network.dtype, device=self.network.device)
        return StreamFeatures(first_frame, torch.cat([none, *runs]))
