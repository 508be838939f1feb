"""Settings of training on the model's own contexts."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ConfigError
from models.studio.config import Binding
from training.runs.loop import LoopConfig
from training.stages.dit.sampling import SamplingConfig
from training.stages.dit.task import DitLosses, NoiseConfig
from training.stages.dit.windows import WindowConfig
from training.stages.multi.scenes import SceneConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPast:
    """How contexts are made.

    Raises:
        ConfigError: when shares are none.
    """

    share: float  # of steps that learn behind contexts of their own; the others learn as before
    noise_share: float  # of made frames that are noised before they are seen ...
    noise_most: float  # ... by up to this level; the cache of a stream holds clean ones
    decay: float  # of the averaged weights that make contexts
    sampling: SamplingConfig

    def __post_init__(self) -> None:
        if (
            not 0 < self.share <= 1
            or not 0 <= self.noise_share <= 1
            or not 0 <= self.noise_most <= 1
        ):
            raise ConfigError(
                f"share={self.share}, noise_share={self.noise_share} and "
                f"noise_most={self.noise_most} must be within 0..1, share above 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStageConfig:
    """Everything that decides a run."""

    binding: Binding
    own_past: OwnPast
    drift_seconds: float  # of the streams whose drift is measured
    scenes: SceneConfig
    windows: WindowConfig
    noise: NoiseConfig
    losses: DitLosses
    loop: LoopConfig
