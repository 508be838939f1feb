from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from engines.manifest import Sampling
from engines.sampling import plan
from models.errors import ConfigError
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.stages.distill.config import DistillConfig, DistillStageConfig
from training.stages.distill.distill_cli import SMOKE, USUAL, folder_of
from training.stages.distill.lesson import lesson, paths
from training.stages.distill.schedule_file import SAMPLING, chosen_steps
from training.stages.dit.behind import Left, velocity_behind
from training.stages.dit.shipped import read_dit
from training.stages.dit.windows import ClipBank, draw_windows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def distill_run(single_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("distill")
    command = ["distill", "--smoke", "--out", str(out), "--start", str(single_run)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def usual() -> DistillConfig:
    return read_config(USUAL, DistillStageConfig).distill


@pytest.mark.parametrize("steps", [4, 2])
def test_students_come_nearer_to_the_teacher_than_the_teacher_in_a_hurry(
    distill_run: Path, steps: int
) -> None:
    log = RunFolder(folder_of(distill_run, steps)).read_log()
    found = [line for line in log if line["kind"] == "measure"][-1]
    assert found["lesson_student"] < 0.95 * found["lesson_hurried"]
    assert found["error_student"] < 0.9 * found["error_hurried"]
    assert found["r_student"] > 0.9 * found["r_teacher"]


def test_the_schedule_that_is_written_is_one_that_a_manifest_takes(distill_run: Path) -> None:
    written = json.loads((distill_run / SAMPLING).read_text())
    sampling = Sampling.model_validate_json((distill_run / SAMPLING).read_text())
    assert written["schedules"] == [[1000.0, 500.0], [1000.0, 750.0, 500.0, 250.0]]
    for schedule in sampling.schedules:
        assert plan(schedule, sampling.sampler)[-1].timestep == schedule[-1]
    assert read_dit(distill_run).facts["stage"] == "distill"


def test_students_that_are_done_are_not_taught_again(distill_run: Path, single_run: Path) -> None:
    before = [len(RunFolder(folder_of(distill_run, steps)).read_log()) for steps in (4, 2)]
    command = ["distill", "--smoke", "--out", str(distill_run), "--start", str(single_run)]
    assert CliRunner().invoke(app, command).exit_code == 0
    after = [len(RunFolder(folder_of(distill_run, steps)).read_log()) for steps in (4, 2)]
    assert after == before


def test_a_students_step_covers_two_of_the_teachers(usual: DistillConfig) -> None:
    assert usual.timesteps(4) == usual.timesteps(8)[::2]
    assert paths(usual, 2, 4).tolist() == [[1.0, 0.75, 0.5], [0.5, 0.25, 0.0]]
    assert paths(usual, 4, 4).tolist()[-1] == [0.25, 0.0], "what is kept takes one step"
    renoise = dataclasses.replace(usual, sampler="renoise")
    assert paths(renoise, 2, 4).tolist() == [
        [1.0, 0.75, 0.5, 0.25, 0.0],
        [0.5, 0.25, 0.0, 0.0, 0.0],
    ]


def test_one_step_toward_the_lesson_ends_where_the_teachers_two_end(
    single_run: Path, usual: DistillConfig
) -> None:
    trained, settings = read_dit(single_run), read_config(SMOKE, DistillStageConfig)
    dit, bank = trained.dit, ClipBank([single_run / "dolls"])
    window = draw_windows(bank, trained.words, settings.windows, Draw(0, 0, 0, CPU))
    shape = (window.latents.shape[0], window.latents.shape[2])
    path = paths(usual, 2, 4)[torch.zeros(shape, dtype=torch.int64)]
    noisy = torch.randn(window.latents.shape, generator=torch.Generator().manual_seed(0))
    left = Left(window.latents, torch.zeros(shape))
    with torch.no_grad():
        x = noisy
        for level in (1.0, 0.75):
            x = x - 0.25 * velocity_behind(dit, window, left, x, torch.full(shape, level))
    clean = lesson(dit, window, left, noisy, path, 1.0)
    # The student's Euler step from 1 to .5 with the velocity that points at the lesson.
    assert torch.allclose(noisy - 0.5 * (noisy - clean) / 1.0, x, atol=1e-4)
    guided = lesson(dit, window, left, noisy, path, 3.0)
    assert not torch.allclose(guided, clean, atol=1e-3), "the teacher may be guided by the voice"


def test_the_fewest_steps_that_keep_the_lips_are_chosen(usual: DistillConfig) -> None:
    def found(r: float) -> dict[str, float]:
        return {"r_student": r, "r_teacher": 0.8}

    assert chosen_steps(usual, {4: found(0.79), 2: found(0.75)}) == 2
    assert chosen_steps(usual, {4: found(0.79), 2: found(0.5)}) == 4
    assert chosen_steps(usual, {4: found(0.5), 2: found(0.79)}) == 8, "it stands on a bad one"


def test_steps_that_are_not_halved_are_refused(usual: DistillConfig) -> None:
    with pytest.raises(ConfigError, match="halved"):
        dataclasses.replace(usual, counts=(4, 1))
    with pytest.raises(ConfigError, match="halved"):
        dataclasses.replace(usual, teacher_steps=6)
