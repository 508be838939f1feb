"""Settings of a stage at a published size: what an example is, and what is trained how.

Shape letters: P people, F latent frames, N tokens of an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from models.errors import ConfigError
from models.wan.config import VAE_FRAME_STRIDE, VAE_PIXEL_STRIDE

PATCH = 2
Sharding = Literal["FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD"]


class Stage(StrEnum):
    """The stages of the studio's model."""

    SINGLE = "single"
    MULTI = "multi"  # side by side: everything is trained
    MULTI_AUDIO = "multi-audio"  # true scenes: audio attention and adapter alone
    ROLLOUT = "rollout"
    DISTILL = "distill"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleConfig:
    """One training example.

    Raises:
        ConfigError: when a size is no whole number of tokens or latent frames.
    """

    video_frames: int  # 1 + 4 n
    width: int
    height: int
    people: int

    def __post_init__(self) -> None:
        side = VAE_PIXEL_STRIDE * PATCH
        if self.width % side or self.height % side or min(self.width, self.height) < side:
            raise ConfigError(f"{self.width}x{self.height} is no multiple of {side} pixels")
        if (self.video_frames - 1) % VAE_FRAME_STRIDE or self.video_frames < 1 or self.people < 1:
            raise ConfigError(
                f"video_frames={self.video_frames} is not 1 + {VAE_FRAME_STRIDE} n, or nobody is "
                f"seen: people={self.people}"
            )

    @property
    def latent_frames(self) -> int:
        return (self.video_frames - 1) // VAE_FRAME_STRIDE + 1

    @property
    def tokens(self) -> int:
        """Count N."""
        side = VAE_PIXEL_STRIDE * PATCH
        return self.latent_frames * (self.width // side) * (self.height // side)


@dataclass(frozen=True, slots=True, kw_only=True)
class FsdpConfig:
    """How accelerate shards a network over GPUs."""

    sharding: Sharding
    is_bfloat16: bool  # weights are gathered and computed in it; each GPU's own part is float32
    is_checkpointed: bool  # blocks are computed again on the way back
    is_offloaded: bool  # optimizer state and own parts wait in the host's memory


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStageConfig:
    """Everything that a plan needs to know."""

    batch_per_gpu: int
    example: ExampleConfig
    fsdp: FsdpConfig
    rolled_steps: int  # of the streams that are contexts in stage rollout
    teacher_passes: int  # of the frozen teacher in stage distill; guidance doubles them
    gpu_memory_gib: float
    peak_tflops: float  # of one GPU, dense bfloat16
    used_share: float  # of the peak that training reaches: an assumption, measure it

    def __post_init__(self) -> None:
        if self.batch_per_gpu < 1 or not 0 < self.used_share <= 1:
            raise ConfigError(
                f"batch_per_gpu={self.batch_per_gpu} must be at least 1 and "
                f"used_share={self.used_share} within 0..1"
            )
