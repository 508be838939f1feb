"""wav2vec2 for live voices as one network: everything that a stream remembers is a named state.

It gives what `models.encoders.wav2vec2_streaming` gives a voice that was silent before it spoke,
for all people of a room at once: convolution features of each new video frame under running
statistics, then one run of the transformer over a window that ends the look-ahead after the chunk.
Statistics are float32 here, since GPU compilers know no float64.

Shape letters: P people, T video frames of a chunk, n samples, p positions of the first convolution,
K its channels, V video frames in view, L feature layers, C channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.errors import RequestError
from export.network import STATE_OUTPUT, ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from models.encoders.wav2vec2 import WINDOW_RADIUS_FRAMES, Wav2Vec2Network
from models.encoders.wav2vec2_statistics import prior_variance
from models.encoders.wav2vec2_streaming import StreamingConfig
from models.encoders.waveform import SAMPLE_RATE_HZ

FRAME_SAMPLES = 640  # 16 kHz, 25 video frames a second
STATE = "state."


class Statistics(NamedTuple):
    """What counted audio was like, float32; zeros before the first word. Powers are about zero."""

    counted: Tensor  # [P] samples behind the means, at most the memory
    patience: Tensor  # [P] samples of silence that would still count
    wave_mean: Tensor  # [P]
    wave_power: Tensor  # [P]
    conv_mean: Tensor  # [P, K]
    conv_power: Tensor  # [P, K]


class Geometry(NamedTuple):
    """Where a video frame lies among samples and among positions of the first convolution."""

    stride: int  # samples from position to position
    step: int  # positions from video frame to video frame
    own: int  # positions that a frame's feature is made of
    field: int  # samples that they see

    @property
    def tail(self) -> int:
        """Samples before a frame whose positions the frame before did not reach."""
        return (self.step - self.own) * self.stride


def frame_geometry(network: Wav2Vec2Network) -> Geometry:
    """Give the geometry at 25 video frames a second.

    Raises:
        RequestError: when video frames do not fall on the network's own frames.
    """
    config = network.config
    stride, kernel = config.conv_strides[0], config.conv_kernels[0]
    if FRAME_SAMPLES % config.hop_samples or config.field_samples > FRAME_SAMPLES:
        raise RequestError(
            f"a live voice needs frames of {FRAME_SAMPLES} samples to be whole frames of wav2vec2, "
            f"whose hop is {config.hop_samples} and field {config.field_samples}"
        )
    own = (config.field_samples - kernel) // stride + 1
    return Geometry(stride, FRAME_SAMPLES // stride, own, config.field_samples)


class LiveVoice(nn.Module):
    """A chunk of every voice into the features of its frames and of two more on either side."""

    prior: Tensor  # [K]

    def __init__(self, network: Wav2Vec2Network, frames: int, config: StreamingConfig) -> None:
        """Share a network's weights, for chunks of so many video frames.

        Raises:
            RequestError: when the look-ahead is no whole number of video frames.
        """
        super().__init__()
        if config.lookahead_samples % FRAME_SAMPLES:
            raise RequestError(
                f"the look-ahead must be whole video frames of 40 ms, got {config.lookahead_ms} ms"
            )
        self.network = network
        self.frames = frames
        self.config = config
        self.geometry = frame_geometry(network)
        self.ahead = config.lookahead_samples // FRAME_SAMPLES
        prior = prior_variance(network.first_conv().weight).float()
        self.register_buffer("prior", prior, persistent=False)

    def forward(
        self, samples: Tensor, tail: Tensor, conv: Tensor, *statistics: Tensor
    ) -> tuple[Tensor, ...]:
        """Hear samples [P, T * 640] that end the look-ahead after the chunk.

        Args:
            samples: in [-1, 1].
            tail: [P, n] samples before them.
            conv: [P, V - T, C] features of the frames before.
            statistics: as `Statistics`.

        Returns:
            Features [P, T + 4, L, C], then the next tail, conv and statistics.
        """
        heard = torch.cat([tail, samples], dim=1)
        new, after = self._conv_features(heard, Statistics(*statistics))
        view = torch.cat([conv, new], dim=1)  # [P, V, C]
        states = self.network.hidden_states(view)
        first = self.config.left_context_frames - WINDOW_RADIUS_FRAMES
        wanted = torch.arange(first, first + self.frames + 2 * WINDOW_RADIUS_FRAMES)
        features = states[:, wanted.clamp(max=view.shape[1] - 1)]
        # Cloned: a view would keep the memory of all that was heard.
        kept = (heard[:, heard.shape[1] - tail.shape[1] :].clone(), view[:, self.frames :].clone())
        return (features, *kept, *after)

    def _conv_features(self, heard: Tensor, past: Statistics) -> tuple[Tensor, Statistics]:
        """Give features [P, T, C] of the new frames, each normalized by what was heard up to it."""
        geometry, first = self.geometry, self.network.first_conv()
        used = geometry.tail + (self.frames - 1) * FRAME_SAMPLES + geometry.field
        raw = F.conv1d(heard[:, None, :used], first.weight, stride=geometry.stride)  # [P, K, p]
        normalized = []
        for frame in range(self.frames):
            fresh = heard[:, frame * FRAME_SAMPLES : (frame + 1) * FRAME_SAMPLES]
            stop = (frame + 1) * geometry.step
            past = self._counted(past, fresh, raw[:, :, stop - geometry.step : stop])
            gain = self._gain(past, first.norm_eps) * first.norm_weight
            own = raw[:, :, stop - geometry.own : stop] - past.conv_mean[:, :, None]
            normalized.append(own * gain[:, :, None] + first.norm_bias[:, None])
        stacked = torch.stack(normalized, dim=1).flatten(0, 1)  # [P * T, K, own]
        features = self.network.after_first_conv(stacked)[:, :, 0]
        return features.reshape(-1, self.frames, features.shape[1]), past

    def _counted(self, past: Statistics, samples: Tensor, conv: Tensor) -> Statistics:
        """Count one frame's samples [P, 640] and positions [P, K, p], unless they are silence."""
        config, n = self.config.statistics, float(FRAME_SAMPLES)
        wave_mean, wave_power = samples.mean(1), samples.square().mean(1)
        is_loud = wave_power - wave_mean.square() >= 10.0 ** (config.gate_dbfs / 10.0)
        hangover = torch.full_like(past.patience, config.hangover_s * SAMPLE_RATE_HZ)
        patience = torch.where(is_loud, hangover, past.patience - n)
        weight = torch.where(patience >= 0, n, 0.0)
        counted = (past.counted + weight).clamp(max=config.memory_s * SAMPLE_RATE_HZ)
        rate = weight / counted.clamp(min=n)
        return Statistics(
            counted,
            patience.clamp(min=0.0),
            past.wave_mean + rate * (wave_mean - past.wave_mean),
            past.wave_power + rate * (wave_power - past.wave_power),
            past.conv_mean + rate[:, None] * (conv.mean(2) - past.conv_mean),
            past.conv_power + rate[:, None] * (conv.square().mean(2) - past.conv_power),
        )

    def _gain(self, now: Statistics, eps: float) -> Tensor:
        """Give what each channel [P, K] is multiplied by; the prior decides before any word."""
        config = self.config.statistics
        weight, counted = config.prior_s * SAMPLE_RATE_HZ, now.counted
        wave = (now.wave_power - now.wave_mean.square()).clamp(min=0.0)
        level = (weight * 10.0 ** (config.prior_dbfs / 10.0) + counted * wave) / (weight + counted)
        conv = (now.conv_power - now.conv_mean.square()).clamp(min=0.0)
        expected = weight * self.prior * level[:, None]
        variance = (expected + counted[:, None] * conv) / (weight + counted)[:, None]
        gain: Tensor = (variance + eps * level[:, None]).rsqrt()
        return gain


def audio_network(
    network: Wav2Vec2Network, shape: ChunkShape, config: StreamingConfig
) -> ExportNetwork:
    """Give the role `audio_encoder` for a chunk of every person's voice.

    Raises:
        RequestError: as `LiveVoice`.
    """
    voice = LiveVoice(network, shape.video_frames, config).eval()
    people, channels = shape.people, network.config.conv_channels
    states = {
        "tail": (people, voice.geometry.tail),
        "conv": (people, config.left_context_frames + voice.ahead, channels[-1]),
        "counted": (people,),
        "patience": (people,),
        "wave_mean": (people,),
        "wave_power": (people,),
        "conv_mean": (people, channels[0]),
        "conv_power": (people, channels[0]),
    }
    specs = tuple(TensorSpec(f"{STATE}{name}", size) for name, size in states.items())
    return ExportNetwork(
        role="audio_encoder",
        label=shape.label,
        module=voice,
        inputs=(TensorSpec("samples", (people, shape.video_frames * FRAME_SAMPLES)), *specs),
        outputs=("features", *(f"{STATE_OUTPUT}{spec.name}" for spec in specs)),
        states=tuple(spec.name for spec in specs),
    )
