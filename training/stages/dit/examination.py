"""What every stage of the transformer measures, and the weights that it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.studio.dit import StudioDiT
from training.runs.folder import RunFolder
from training.stages.dit.gap_reader import GapReader
from training.stages.dit.measures import draw_held_out, measure
from training.stages.dit.rollouts import (
    HeldOutRollouts,
    clips_alike,
    measure_rollouts,
    whole_clips,
)
from training.stages.dit.sampling import euler
from training.stages.dit.shipped import write_dit
from training.stages.dit.windows import Bank, WindowConfig, WindowSource
from training.stages.dit.words import WordTable

HELD_OUT_BATCHES = 8
ROLLED_CLIPS, ROLLED_FRAMES, ROLLED_STEPS = 6, 20, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Held-out data, how lips are read off latents, and what the weights were trained as."""

    stage: str
    words: WordTable
    windows: WindowConfig
    source: WindowSource  # of the test split
    rolled: Mapping[str, Bank]  # of the test split: clips that are rolled whole, by their suffix
    reader: GapReader

    def rollouts(self, frames: int = ROLLED_FRAMES) -> Mapping[str, HeldOutRollouts]:
        """Cut some whole clips of every bank."""
        found = {}
        for name, bank in self.rolled.items():
            clips = clips_alike(bank, ROLLED_CLIPS)
            window = whole_clips(clips, self.words, self.windows, frames, is_acting_told=True)
            found[name] = HeldOutRollouts(window, self.reader)
        return found

    def look(self, network: StudioDiT) -> Mapping[str, float]:
        """Measure single frames behind true ones, and whole clips."""
        measures = dict(measure(network, draw_held_out(self.source, HELD_OUT_BATCHES, self.reader)))
        for suffix, held_out in self.rollouts().items():
            found = measure_rollouts(network, held_out, euler(ROLLED_STEPS))
            measures |= {f"{name}{suffix}": value for name, value in found.items()}
        return measures

    def examine(self, network: StudioDiT, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Measure, and write the weights that were measured into the run's folder."""
        measures = self.look(network)
        self.write(network, folder, steps, measures)
        return measures

    def write(
        self, network: StudioDiT, folder: RunFolder, steps: int, measures: Mapping[str, float]
    ) -> None:
        """Write weights with what was measured of them."""
        rounded = {name: float(f"{value:.4g}") for name, value in measures.items()}
        facts = {"stage": self.stage, "steps": steps, "measures": rounded}
        write_dit(folder.path, network, self.words, facts)


def log_start(folder: RunFolder, measures: Callable[[], Mapping[str, float]]) -> None:
    """Log what a stage's first weights measure, once: what the stage has to improve on."""
    if not any(line["kind"] == "start" for line in folder.read_log()):
        folder.log("start", {"steps": 0, **measures()})
