"""Claims about the training loop, its checkpoints and its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.errors import CheckpointError, InputError
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import DivergedError, LoopConfig, Runner, train
from training.runs.optimizer import OptimizerConfig
from training.runs.processes import Processes
from training.runs.schedule import Budget, Schedule

ALONE = Processes(rank=0, count=1, device=torch.device("cpu"))


def loop_config() -> LoopConfig:
    return LoopConfig(
        seed=1,
        optimizer=OptimizerConfig(
            muon_rate=0.02,
            adam_rate=0.01,
            momentum=0.9,
            adam_betas=(0.9, 0.99),
            weight_decay=0.0,
            clip_norm=1.0,
        ),
        schedule=Schedule(warmup_steps=0, decay_share=0.0),
        ema_decay=0.9,
        log_every_steps=1,
        measure_every_minutes=1.0,
        save_every_minutes=1.0,
        is_bfloat16=False,
    )


class Line:
    """Learns to double its input."""

    adam_names: tuple[str, ...] = ()
    samples_per_step = 4

    def __init__(self, hidden: int = 8) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)
            self.network: nn.Sequential = nn.Sequential(
                nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2)
            )
        self.measured: list[int] = []
        self.drawn: list[float] = []

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        x = torch.randn(4, 2, generator=draw.torch)
        self.drawn.append(float(x[0, 0]) + float(draw.numpy.random()))
        return {"loss": (self.network(x) - 2 * x).square().mean()}

    def measure(self, network: nn.Sequential, folder: RunFolder, steps: int) -> Mapping[str, float]:
        self.measured.append(steps)
        return {"steps_seen": steps}


def ticking(seconds: float) -> Callable[[], float]:
    """A clock on which every look takes `seconds`."""
    times: Iterator[int] = count()
    return lambda: next(times) * seconds


def run(path: Path, task: Line, budget: Budget, seconds: float = 0.0) -> nn.Module:
    folder = RunFolder.open(path, loop_config())
    return train(task, Runner(folder, loop_config(), budget, ALONE, ticking(seconds))).network


def test_a_run_cut_in_two_gives_the_weights_of_an_uncut_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "a", Line(), Budget(steps=12))
    first, second = Line(), Line()
    run(tmp_path / "b", first, Budget(steps=5))
    halves = run(tmp_path / "b", second, Budget(steps=12))
    assert len(first.drawn) == 5
    assert len(second.drawn) == 7
    for mine, theirs in zip(halves.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_no_two_steps_and_no_two_processes_draw_the_same() -> None:
    cpu = torch.device("cpu")
    drawn = {
        (float(d.numpy.random()), float(torch.rand((), generator=d.torch)))
        for d in (Draw(1, 0, 0, cpu), Draw(1, 0, 1, cpu), Draw(1, 1, 0, cpu), Draw(2, 0, 0, cpu))
    }
    assert len(drawn) == 4


def test_a_finished_run_does_nothing_when_started_again(tmp_path: Path) -> None:
    run(tmp_path, Line(), Budget(steps=3))
    again = Line()
    run(tmp_path, again, Budget(steps=3))
    assert again.drawn == []


def test_minutes_count_the_training_of_all_sittings(tmp_path: Path) -> None:
    task = Line()
    run(tmp_path, task, Budget(minutes=2.0), seconds=10.0)  # a step takes two looks: 10 s
    assert len(task.drawn) == 12
    more = Line()
    run(tmp_path, more, Budget(minutes=3.0), seconds=10.0)
    assert len(more.drawn) == 6


def test_measurements_come_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    task = Line()
    run(tmp_path, task, Budget(minutes=2.5), seconds=10.0)
    assert task.measured == [6, 12, 15]


def test_the_log_holds_every_loss_and_the_picture_is_drawn(tmp_path: Path) -> None:
    run(tmp_path, Line(), Budget(steps=4))
    lines = RunFolder(tmp_path).read_log()
    assert [line["steps"] for line in lines if line["kind"] == "loss"] == [1, 2, 3, 4]
    assert lines[-1]["kind"] == "measure"
    assert lines[-1]["samples"] == 16
    assert (tmp_path / "curves.png").stat().st_size > 500


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    task = Line()
    with torch.no_grad():
        next(task.network.parameters()).fill_(torch.nan)
    with pytest.raises(DivergedError, match="nan at step 1"):
        run(tmp_path, task, Budget(steps=2))


def test_a_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, loop_config())
    with pytest.raises(InputError, match="differing: ema_decay"):
        RunFolder.open(tmp_path, replace(loop_config(), ema_decay=0.5))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    run(tmp_path, Line(), Budget(steps=1))
    with pytest.raises(CheckpointError, match="cannot resume"):
        run(tmp_path, Line(hidden=9), Budget(steps=2))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run(tmp_path, Line(), Budget(steps=1))
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match="cannot resume"):
        run(tmp_path, Line(), Budget(steps=2))
