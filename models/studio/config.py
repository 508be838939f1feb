"""Sizes of the studio transformer: one file away from another model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch

from models.errors import ConfigError
from models.multitalk.labels import LabelRanges
from models.wan.config import WanConfig

MOUTH_CURVES = 53  # what the audio encoder gives: 52 ARKit coefficients and the lip gap
HEAD_ANGLES = 3  # yaw, pitch, roll
# Jaw, lips but for smile and frown, puffed cheeks, tongue, lip gap; in the order of Apple's ARKit.
SPEECH_CURVES = (*range(14, 23), *range(27, 41), 46, 51, 52)


class Binding(StrEnum):
    """How voices are bound to people."""

    LABELS = "labels"  # MultiTalk: rotary labels on queries and audio keys
    IDENTITY = "identity"  # AnyTalker: (face, voice) pairs, each counted where its face is


class MotionGroup(StrEnum):
    """What may be told of how a face moves; each part can be left for the model to make up."""

    SPEECH = "speech"  # curves that follow from the voice: mouth, jaw, lips, cheeks, lip gap
    EXPRESSION = "expression"  # brows, lids, gaze, nose
    HEAD = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoderConfig:
    """Numbers of the prompt encoder.

    Raises:
        ConfigError: when heads do not divide the width.
    """

    words: int  # rows of the embedding: 0 pads, 1 is an unknown word
    length: int  # words of a prompt; longer ones are cut
    dim: int
    heads: int
    layers: int
    rows: int  # tokens that the transformer sees

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ConfigError(f"dim={self.dim} is not a multiple of heads={self.heads}")
        if min(self.words - 2, self.length, self.rows) < 1:
            raise ConfigError(
                f"words={self.words}, length={self.length}, rows={self.rows}: a prompt needs words"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioConfig:
    """Numbers of one studio transformer.

    Raises:
        ConfigError: when parts do not fit each other.
    """

    wan: WanConfig
    binding: Binding
    labels: LabelRanges
    audio_features: int  # width of what the audio encoder hears
    audio_dim: int  # width of an audio token
    audio_tokens: int  # of one voice in one latent frame
    movement_dim: int  # inner width of what makes scales and shifts of told motion
    face_side_px: int  # of a face crop
    face_tokens_side: int  # tokens of a face along each side
    text: TextEncoderConfig
    latent_channels: int
    window_frames: int  # past latent frames seen, beside the sink
    chunk_frames: int

    def __post_init__(self) -> None:
        if self.wan.in_channels != 2 * self.latent_channels:
            raise ConfigError(
                f"in_channels={self.wan.in_channels} must hold the noisy latent and the reference, "
                f"2 * {self.latent_channels}"
            )
        if self.wan.out_channels != self.latent_channels:
            raise ConfigError(
                f"out_channels={self.wan.out_channels} is not latent_channels="
                f"{self.latent_channels}"
            )
        if self.text.dim != self.wan.text_dim or self.text.rows != self.wan.text_len:
            raise ConfigError(
                f"the prompt encoder gives {self.text.rows} rows of {self.text.dim}, the "
                f"transformer takes {self.wan.text_len} of {self.wan.text_dim}"
            )
        if self.window_frames % self.chunk_frames or self.window_frames < 1:
            raise ConfigError(
                f"window_frames={self.window_frames} is not a multiple of "
                f"chunk_frames={self.chunk_frames}"
            )
        if self.face_side_px % self.face_tokens_side:
            raise ConfigError(
                f"face_side_px={self.face_side_px} is not a multiple of "
                f"face_tokens_side={self.face_tokens_side}"
            )

    @property
    def sink_frames(self) -> int:
        """The clean reference picture leads every stream."""
        return 1

    @property
    def motion_channels(self) -> int:
        return MOUTH_CURVES + HEAD_ANGLES

    @property
    def motion_groups(self) -> int:
        return len(MotionGroup)


def studio(binding: Binding = Binding.IDENTITY) -> StudioConfig:
    """Give the transformer of the shipped model: 10 M parameters, 64 tokens for 256x256."""
    text = TextEncoderConfig(words=512, length=64, dim=128, heads=4, layers=2, rows=8)
    return StudioConfig(
        wan=WanConfig(
            dim=256,
            ffn_dim=1024,
            freq_dim=128,
            text_dim=text.dim,
            text_len=text.rows,
            image_dim=None,
            in_channels=32,
            out_channels=16,
            heads=4,
            layers=5,
            patch=(1, 2, 2),
            qk_norm=True,
            cross_attn_norm=True,
            eps=1e-6,
            timestep_dtype=torch.float32,
        ),
        binding=binding,
        labels=LabelRanges(interval=4, class_range=24, max_people=8),
        audio_features=128,
        audio_dim=256,
        audio_tokens=4,
        movement_dim=128,
        face_side_px=64,
        face_tokens_side=4,
        text=text,
        latent_channels=16,
        window_frames=4,
        chunk_frames=1,
    )
