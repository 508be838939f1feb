"""wav2vec2: a voice into one stack of hidden states per video frame, from a whole recording.

Shape letters: B batch, n samples at 16 kHz, Tc convolution frames (50 Hz), T video frames,
L transformer layers, C channels. The form for live audio is `wav2vec2_streaming`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from models.encoders.waveform import AudioRecipe, frame_count, prepare_waveform
from models.errors import ConfigError, InputError

WINDOW_RADIUS_FRAMES = 2  # both systems look at frames -2..+2 around each video frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Wav2Vec2NetworkConfig:
    """Widths of one wav2vec2 network."""

    channels: int
    layers: int
    heads: int
    feedforward_channels: int
    conv_channels: tuple[int, ...]
    conv_strides: tuple[int, ...]
    conv_kernels: tuple[int, ...]
    conv_norm: Literal["group", "layer"]  # group: first layer only, statistics over all time
    has_conv_bias: bool
    position_kernel: int
    position_groups: int
    is_norm_first: bool  # published as do_stable_layer_norm
    norm_eps: float

    def __post_init__(self) -> None:
        counts = len(self.conv_channels), len(self.conv_strides), len(self.conv_kernels)
        if len(set(counts)) != 1 or counts[0] == 0:
            raise ConfigError(f"conv channels, strides and kernels number {counts}, must be equal")
        if self.channels % self.heads:
            raise ConfigError(f"channels={self.channels} is not a multiple of heads={self.heads}")
        if self.channels % self.position_groups:
            raise ConfigError(
                f"channels={self.channels} is not a multiple of {self.position_groups=}"
            )

    @property
    def hop_samples(self) -> int:
        """Samples from one convolution frame to the next (320 as published)."""
        return prod(self.conv_strides)

    @property
    def field_samples(self) -> int:
        """Samples that one convolution frame sees (400 as published)."""
        samples = 1
        for stride, kernel in zip(
            reversed(self.conv_strides), reversed(self.conv_kernels), strict=True
        ):
            samples = (samples - 1) * stride + kernel
        return samples


def wav2vec2_base() -> Wav2Vec2NetworkConfig:
    """Give the base network that both systems use (MultiTalk's is trained on Chinese)."""
    return Wav2Vec2NetworkConfig(
        channels=768,
        layers=12,
        heads=12,
        feedforward_channels=3072,
        conv_channels=(512,) * 7,
        conv_strides=(5, 2, 2, 2, 2, 2, 2),
        conv_kernels=(10, 3, 3, 3, 3, 2, 2),
        conv_norm="group",
        has_conv_bias=False,
        position_kernel=128,
        position_groups=16,
        is_norm_first=False,
        norm_eps=1e-5,
    )


class FirstConv(NamedTuple):
    """The first convolution and its group norm, whose statistics run over all time."""

    weight: Tensor  # [C, 1, kernel]
    norm_weight: Tensor  # [C]
    norm_bias: Tensor  # [C]
    norm_eps: float


class Wav2Vec2Network(nn.Module):
    """The published network, built from transformers' parts, frozen and without any randomness.

    Dropout, layer drop and SpecAugment are off whatever the training flag says, and attention is
    always torch's scaled_dot_product_attention.

    Source: wav2vec 2.0, arXiv 2006.11477; huggingface/transformers,
    models/wav2vec2/modeling_wav2vec2.py (Apache-2.0).
    """

    def __init__(self, config: Wav2Vec2NetworkConfig) -> None:
        super().__init__()
        self.config = config
        whole = Wav2Vec2Model(_published_config(config))
        self.masked_spec_embed = whole.masked_spec_embed  # never read: published files hold it
        self.feature_extractor = whole.feature_extractor
        self.feature_projection = whole.feature_projection
        self.encoder = whole.encoder
        self.requires_grad_(False)

    @property
    def dtype(self) -> torch.dtype:
        """The type that the parameters were loaded in."""
        return self.masked_spec_embed.dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters are, and so where inputs are moved."""
        return self.masked_spec_embed.device

    def conv_features(self, waveform: Tensor) -> Tensor:
        """Turn a prepared waveform [B, n] into convolution features [B, Tc, conv C] at 50 Hz.

        Raises:
            InputError: when there are too few samples for one convolution frame.
        """
        if waveform.shape[-1] < self.config.field_samples:
            raise InputError(
                f"waveform: expected at least {self.config.field_samples} samples for one frame, "
                f"got {waveform.shape[-1]}"
            )
        features: Tensor = self.feature_extractor(waveform.to(self.dtype))
        return features.transpose(1, 2)

    def first_conv(self) -> FirstConv:
        """Give the first convolution apart, for whoever keeps its statistics another way.

        Raises:
            ConfigError: when this network does not have a group norm there.
        """
        if self.config.conv_norm != "group":
            raise ConfigError(
                f"expected conv_norm='group', the layout of both systems, "
                f"got {self.config.conv_norm!r}; encode whole recordings instead"
            )
        layer: Any = self.feature_extractor.conv_layers[0]
        norm = layer.layer_norm
        return FirstConv(layer.conv.weight, norm.weight, norm.bias, norm.eps)

    def after_first_conv(self, normalized: Tensor) -> Tensor:
        """Take first_conv's normalized output [B, C, p] through the rest, to [B, conv C, Tc]."""
        first: Any = self.feature_extractor.conv_layers[0]
        x: Tensor = first.activation(normalized.to(self.dtype))
        for layer in list(self.feature_extractor.conv_layers)[1:]:
            x = layer(x)
        return x

    def hidden_states(self, conv_features: Tensor) -> Tensor:
        """Turn features [B, T, conv C] into the outputs of layers 1..L, [B, T, L, C]."""
        x, _ = self.feature_projection(conv_features.to(self.dtype))
        x = x + self.encoder.pos_conv_embed(x)
        if not self.config.is_norm_first:
            x = self.encoder.layer_norm(x)
        states = []
        for layer in self.encoder.layers:
            x = layer(x)
            states.append(x)
        if self.config.is_norm_first:
            states[-1] = self.encoder.layer_norm(x)
        return torch.stack(states, dim=2)


@torch.no_grad()
def audio_features(network: Wav2Vec2Network, samples: Tensor, recipe: AudioRecipe) -> Tensor:
    """Encode a whole recording, samples [n] in [-1, 1], into features [T, L, C].

    The convolution features are stretched to the video frame count before the transformer, so
    the transformer runs at video rate and every hidden state belongs to one video frame.

    Raises:
        InputError: when samples are no mono float32 track, or too short for one video frame.
    """
    frames = frame_count(samples.shape[0], recipe) if samples.ndim == 1 else 0
    prepared = prepare_waveform(samples, recipe)
    if frames < 1:
        raise InputError(
            f"waveform: expected at least one video frame at {recipe.fps} fps, "
            f"got {samples.shape[0]} samples"
        )
    conv = network.conv_features(prepared.to(network.device)[None])
    return network.hidden_states(stretch(conv, frames))[0]


def stretch(conv_features: Tensor, frames: int) -> Tensor:
    """Interpolate [B, Tc, C] linearly to [B, frames, C], ends on ends, in float32."""
    x = conv_features.float().transpose(1, 2)
    y = F.interpolate(x, size=frames, mode="linear", align_corners=True)
    return y.transpose(1, 2).to(conv_features.dtype)


def audio_windows(features: Tensor) -> Tensor:
    """Gather frames -2..+2 around each frame: [T, L, C] into [T, 5, L, C], clamped at the ends.

    Give it the features of the whole recording and cut clips afterwards: upstream clamps to the
    recording, not to the clip.

    Raises:
        InputError: when there is no frame at all.
    """
    frames = features.shape[0]
    if frames == 0:
        raise InputError("features: expected at least one frame, got none")
    return features[window_index(0, frames, last_frame=frames - 1).to(features.device)]


def window_index(first_frame: int, frames: int, *, last_frame: int) -> Tensor:
    """Give the frame numbers [frames, 5] of the windows around first_frame onwards."""
    offsets = torch.arange(-WINDOW_RADIUS_FRAMES, WINDOW_RADIUS_FRAMES + 1)
    centers = torch.arange(first_frame, first_frame + frames)
    return (centers[:, None] + offsets).clamp(0, last_frame)


def rename(name: str) -> str | None:
    """Map a published tensor name to ours; None for a tensor this network does not have.

    Takes off the `wav2vec2.` that heads put in front, translates the weight norm of older files,
    and drops the heads (CTC, quantizer, projections).
    """
    name = name.removeprefix("wav2vec2.")
    position = "encoder.pos_conv_embed.conv."
    older = {
        f"{position}weight_g": f"{position}parametrizations.weight.original0",
        f"{position}weight_v": f"{position}parametrizations.weight.original1",
    }
    ours = ("masked_spec_embed", "feature_extractor.", "feature_projection.", "encoder.")
    return older.get(name, name) if name.startswith(ours) else None


def _published_config(config: Wav2Vec2NetworkConfig) -> Wav2Vec2Config:
    """Say the same in transformers' words, with every source of randomness off."""
    published = Wav2Vec2Config(
        hidden_size=config.channels,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.feedforward_channels,
        conv_dim=config.conv_channels,
        conv_stride=config.conv_strides,
        conv_kernel=config.conv_kernels,
        feat_extract_norm=config.conv_norm,
        conv_bias=config.has_conv_bias,
        num_conv_pos_embeddings=config.position_kernel,
        num_conv_pos_embedding_groups=config.position_groups,
        do_stable_layer_norm=config.is_norm_first,
        layer_norm_eps=config.norm_eps,
        hidden_act="gelu",
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
    )
    published._attn_implementation = "sdpa"  # never what happens to be installed
    return published
