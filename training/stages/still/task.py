"""The task of reading what stills show: settings, loss, measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import ConfigError
from models.studio.still_reader import EXPRESSIONS, PLACES, SHOWN, YAW, StillReader
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.still.stills import ChangeConfig, Stills, changed
from training.studio.performance_data import ARKIT

MARKS_WEIGHT = 8.0  # of errors in cells, beside radians and curves


@dataclass(frozen=True, slots=True, kw_only=True)
class StillStageConfig:
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


class StillTask:
    """Trains on still pictures."""

    adam_names: tuple[str, ...] = ("convs.0.", "told.")

    def __init__(self, config: StillStageConfig, stills: Stills, held_out: Stills) -> None:
        self.config, self.stills, self.held_out = config, stills, held_out
        with torch.random.fork_rng(devices=[]):  # initial weights follow from the seed alone
            torch.random.manual_seed(config.loop.seed)
            self.network: StillReader = StillReader()
        self.samples_per_step = config.batch

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        device = draw.torch.device
        chosen = torch.from_numpy(
            draw.numpy.integers(len(self.stills.labels), size=self.config.batch)
        )
        pictures = in_range(self.stills.pictures[chosen]).to(device)
        shown, told = changed(
            pictures, self.stills.labels[chosen].to(device), self.config.changes, draw
        )
        error = (self.network(shown).float() - told).abs()
        parts = {
            "yaw": error[:, YAW].mean(),
            "marks": error[:, PLACES].mean(),
            "expressions": error[:, SHOWN].mean(),
        }
        loss = parts["yaw"] + MARKS_WEIGHT * parts["marks"] + parts["expressions"]
        return {"loss": loss, **parts}

    def measure(self, network: StillReader, folder: RunFolder, steps: int) -> Mapping[str, float]:
        return errors(network, self.held_out)


def errors(reader: StillReader, stills: Stills) -> dict[str, float]:
    """Compare readings with labels: yaw in radians, marks in cells, expressions as curves.

    `nothing_*` are errors of what a reader says that cannot see: heads from the front, marks and
    expressions as they are on average.
    """
    device = next(reader.parameters()).device
    with torch.inference_mode():
        read = reader(in_range(stills.pictures).to(device)).float().cpu()
    error = (read - stills.labels).abs()
    usual = (stills.labels - stills.labels.mean(0)).abs()
    found = {
        "yaw_error": float(error[:, YAW].mean()),
        "nothing_yaw_error": float(stills.labels[:, YAW].abs().mean()),
        "yaw_r": _r(read[:, 0], stills.labels[:, 0]),
        "marks_error": float(error[:, PLACES].mean()),
        "nothing_marks_error": float(usual[:, PLACES].mean()),
        "expressions_error": float(error[:, SHOWN].mean()),
        "nothing_expressions_error": float(usual[:, SHOWN].mean()),
    }
    for place, channel in enumerate(EXPRESSIONS, SHOWN.start):
        found[f"{ARKIT[channel]}_r"] = _r(read[:, place], stills.labels[:, place])
    return found


def _r(read: Tensor, true: Tensor) -> float:
    """Give Pearson's correlation; 0 where one of them never changes."""
    if min(float(read.std()), float(true.std())) < 1e-6:
        return 0.0
    return float(torch.corrcoef(torch.stack([read, true]))[0, 1])


def in_range(pictures: Tensor) -> Tensor:
    """Give 8-bit pictures in -1..1."""
    return pictures.float() / 127.5 - 1
