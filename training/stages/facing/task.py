"""The task of reading which way heads look: settings, loss, measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import ConfigError
from models.studio.facing import FacingReader
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.facing.stills import ChangeConfig, Stills, changed


@dataclass(frozen=True, slots=True, kw_only=True)
class FacingStageConfig:
    """Everything that decides a run.

    Raises:
        ConfigError: when a batch holds no picture.
    """

    batch: int
    changes: ChangeConfig
    loop: LoopConfig

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError(f"batch={self.batch}: a batch holds at least one picture")


class FacingTask:
    """Trains on still pictures."""

    adam_names: tuple[str, ...] = ("convs.0.", "to_yaw.")

    def __init__(self, config: FacingStageConfig, stills: Stills, held_out: Stills) -> None:
        self.config, self.stills, self.held_out = config, stills, held_out
        with torch.random.fork_rng(devices=[]):  # initial weights follow from the seed alone
            torch.random.manual_seed(config.loop.seed)
            self.network: FacingReader = FacingReader()
        self.samples_per_step = config.batch

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        device = draw.torch.device
        chosen = torch.from_numpy(
            draw.numpy.integers(len(self.stills.yaws), size=self.config.batch)
        )
        pictures = in_range(self.stills.pictures[chosen]).to(device)
        read = self.network(changed(pictures, self.config.changes, draw))
        return {"loss": (read.float() - self.stills.yaws[chosen].to(device)).abs().mean()}

    def measure(self, network: FacingReader, folder: RunFolder, steps: int) -> Mapping[str, float]:
        return errors(network, self.held_out)


def errors(reader: FacingReader, stills: Stills) -> dict[str, float]:
    """Compare readings with labels: mean error, and by how far heads are turned, in radians."""
    device = next(reader.parameters()).device
    with torch.inference_mode():
        read = reader(in_range(stills.pictures).to(device)).float().cpu()
    both = torch.stack([read, stills.yaws])
    return {
        "error": float((read - stills.yaws).abs().mean()),
        "nothing_error": float(stills.yaws.abs().mean()),  # of taking everybody for frontal
        "r": float(torch.corrcoef(both)[0, 1]),
    }


def in_range(pictures: Tensor) -> Tensor:
    """Give 8-bit pictures in -1..1."""
    return pictures.float() / 127.5 - 1
