"""Sizes of the acting network: one file away from another model."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ConfigError
from models.studio.config import HEAD_ANGLES, MOUTH_CURVES, SPEECH_CURVES
from models.studio.vae_config import FRAMES_PER_LATENT

# Channels of `Motion.values` that no voice settles: brows, lids, gaze, nose, smile; then the head.
ACTED = (
    *(channel for channel in range(MOUTH_CURVES) if channel not in SPEECH_CURVES),
    *range(MOUTH_CURVES, MOUTH_CURVES + HEAD_ANGLES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingConfig:
    """Numbers of one acting network.

    Raises:
        ConfigError: when a number is not positive.
    """

    audio_features: int  # width of what the audio encoder hears
    words: int  # rows of the embedding: 0 pads, 1 is an unknown word
    length: int  # words of a prompt
    word_dim: int
    dim: int  # width of everything that is summed up before the state
    state: int  # width of what is remembered
    head: int  # width of the blocks that turn noise into motion
    blocks: int
    steps: int  # of the ordinary differential equation from noise to motion
    head_share: float  # of acted turns that the transformer is told; pictures are turned the rest

    def __post_init__(self) -> None:
        numbers = (self.audio_features, self.words - 2, self.length, self.word_dim, self.dim)
        if min(*numbers, self.state, self.head, self.blocks, self.steps) < 1:
            raise ConfigError(f"an acting network's numbers are positive: {self}")
        if not 0 <= self.head_share <= 1:
            raise ConfigError(f"head_share={self.head_share} is outside 0..1")

    @property
    def channels(self) -> int:
        """Count the channels of one video frame."""
        return len(ACTED)

    @property
    def chunk(self) -> int:
        """Count the numbers of one chunk: its video frames' channels."""
        return FRAMES_PER_LATENT * self.channels


def studio_acting() -> ActingConfig:
    """Give the acting network of the shipped model: 0.6 M parameters."""
    return ActingConfig(
        audio_features=128,
        words=320,
        length=64,
        word_dim=48,
        dim=64,
        state=128,
        head=112,
        blocks=3,
        steps=6,
        head_share=0.0,  # the transformer still blurs heads that turn
    )
