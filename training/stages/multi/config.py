"""Settings of the multi-person stage, and which part of the network it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.studio.config import Binding
from models.studio.dit import StudioDiT
from training.runs.loop import LoopConfig
from training.stages.dit.task import DitLosses, NoiseConfig
from training.stages.dit.windows import WindowConfig
from training.stages.multi.scenes import SceneConfig

Trained = Literal["all", "audio"]
AUDIO_LAYERS = (".hearing.", ".norm_x.")  # of every block
AUDIO_ADAPTER = "audio_tokens."


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiStageConfig:
    """Everything that decides a run."""

    binding: Binding
    trained: Trained  # audio: audio attention and audio adapter alone
    scenes: SceneConfig
    windows: WindowConfig
    noise: NoiseConfig
    losses: DitLosses
    loop: LoopConfig


def train_only(dit: StudioDiT, trained: Trained) -> list[str]:
    """Freeze what is not trained; give the names of the parameters that are.

    Source: MultiTalk (arXiv 2505.22647, section 3.4) updates audio attention and adapter alone, so
    that what the base follows in prompts is kept.
    """
    names = []
    for name, parameter in dit.named_parameters():
        is_audio = name.startswith(AUDIO_ADAPTER) or any(part in name for part in AUDIO_LAYERS)
        parameter.requires_grad_(trained == "all" or is_audio)
        if parameter.requires_grad:
            names.append(name)
    return names
