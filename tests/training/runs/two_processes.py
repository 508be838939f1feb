"""Run by torchrun in a test: each process prints the weights that it ends with."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.training.runs.test_loop import Line, loop_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.processes import open_processes
from training.runs.schedule import Budget


def main(out: Path) -> None:
    task = Line()
    with open_processes() as processes:
        folder = RunFolder.open(out, loop_config())
        train(task, Runner(folder, loop_config(), Budget(steps=5), processes))
    numbers = torch.cat([p.flatten() for p in task.network.parameters()]).tolist()
    (out / f"rank{processes.rank}").write_text(f"{task.drawn[0]} {numbers}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
