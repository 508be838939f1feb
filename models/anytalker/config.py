"""Architecture numbers of AnyTalker's transformers and the two published presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import torch

from models.audio_projection import AudioProjectionConfig, published_audio
from models.errors import ConfigError
from models.wan.config import WanConfig, wan_i2v_14b, wan_inp_1_3b


class AudioBinding(StrEnum):
    """How audio reaches the tokens of a face."""

    JOINT = "joint"  # 1.3B: inside the text and picture attention, one video frame at a time
    LEGACY = "legacy"  # 14B: an attention of its own, one latent frame at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyTalkerConfig:
    """Numbers of one AnyTalker transformer.

    Raises:
        ConfigError: when the base has no image branch, or audio tokens do not fit the binding.
    """

    wan: WanConfig
    audio: AudioProjectionConfig
    binding: AudioBinding
    is_audio_query_normed: bool  # published as norm_input_visual; legacy only

    def __post_init__(self) -> None:
        if self.wan.image_dim is None:
            raise ConfigError("AnyTalker stands on image-to-video weights; image_dim is None")
        if self.binding is AudioBinding.JOINT and self.audio.out_dim != self.wan.dim:
            raise ConfigError(
                f"joint attention takes audio tokens of the transformer's width {self.wan.dim}, "
                f"got {self.audio.out_dim}"
            )


def anytalker_1_3b() -> AnyTalkerConfig:
    """Give the published AnyTalker on Wan2.1-Fun InP 1.3B (arXiv 2511.23475)."""
    wan = replace(wan_inp_1_3b(), timestep_dtype=torch.float32)
    return AnyTalkerConfig(
        wan=wan,
        audio=published_audio(wan.dim),
        binding=AudioBinding.JOINT,
        is_audio_query_normed=True,
    )


def anytalker_14b() -> AnyTalkerConfig:
    """Give the published AnyTalker on Wan2.1 14B, with the older audio attention."""
    return AnyTalkerConfig(
        wan=replace(wan_i2v_14b(), timestep_dtype=torch.float32),
        audio=published_audio(768),
        binding=AudioBinding.LEGACY,
        is_audio_query_normed=True,
    )
