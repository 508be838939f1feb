"""Architecture numbers of MultiTalk's transformer and its published preset."""

from __future__ import annotations

from dataclasses import dataclass

from models.audio_projection import AudioProjectionConfig, published_audio
from models.errors import ConfigError
from models.multitalk.labels import LabelRanges
from models.wan.config import WanConfig, wan_i2v_14b


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiTalkConfig:
    """Numbers of one MultiTalk transformer.

    Raises:
        ConfigError: when the base has no image branch.
    """

    wan: WanConfig
    audio: AudioProjectionConfig
    labels: LabelRanges
    is_audio_query_normed: bool  # published as norm_input_visual

    def __post_init__(self) -> None:
        if self.wan.image_dim is None:
            raise ConfigError("MultiTalk stands on image-to-video weights; image_dim is None")


def multitalk_14b() -> MultiTalkConfig:
    """Give the published MultiTalk on Wan2.1 I2V 14B (arXiv 2505.22647)."""
    return MultiTalkConfig(
        wan=wan_i2v_14b(),
        audio=published_audio(768),
        labels=LabelRanges(interval=4, class_range=24, max_people=8),
        is_audio_query_normed=True,
    )
