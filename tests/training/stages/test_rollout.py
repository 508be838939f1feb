from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from models.errors import ConfigError
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.stages.dit.prediction import scene_of
from training.stages.dit.rollouts import told_of
from training.stages.dit.sampling import generate
from training.stages.dit.shipped import read_dit
from training.stages.dit.windows import ClipBank, draw_windows
from training.stages.rollout.config import RolloutStageConfig
from training.stages.rollout.drift import NUMBERS, PICTURE, back_and_forth
from training.stages.rollout.rollout_cli import SMOKE, USUAL
from training.stages.rollout.task import make_past

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rollout_run(single_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rollout")
    command = ["rollout", "--smoke", "--out", str(out), "--start", str(single_run)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


def test_streams_follow_their_voices_better_than_before_the_stage(rollout_run: Path) -> None:
    start, *_, end = [
        line for line in RunFolder(rollout_run).read_log() if line["kind"] in ("start", "measure")
    ]
    assert end["rollout_r_1"] > start["rollout_r_1"]
    assert end["drift_lips_last"] > 0.9 * end["drift_lips_first"] > 0.5
    assert abs(end["rollout_r_shuffled_1"]) < 0.25
    assert read_dit(rollout_run).facts["stage"] == "rollout"


def test_the_course_of_long_streams_is_drawn_and_written(rollout_run: Path) -> None:
    assert (rollout_run / PICTURE).stat().st_size > 1000
    written = json.loads((rollout_run / NUMBERS).read_text())
    assert written["until_seconds"][-1] == pytest.approx(5.0, abs=0.2)
    assert len(written["parts"]) == len(written["until_seconds"])
    assert all(0.8 < part["power"] < 1.2 for part in written["parts"])


def test_contexts_are_a_stream_of_the_models_own_noised_here_and_there(single_run: Path) -> None:
    settings, trained = read_config(SMOKE, RolloutStageConfig), read_dit(single_run)
    bank = ClipBank([single_run / "dolls"])
    window = draw_windows(bank, trained.words, settings.windows, Draw(0, 0, 0, CPU))
    clean = dataclasses.replace(settings.own_past, noise_share=0.0)
    left = make_past(trained.dit, window, clean, Draw(0, 0, 1, CPU))
    generator = Draw(0, 0, 1, CPU).torch
    made = generate(
        trained.dit,
        scene_of(trained.dit, window),
        told_of(window),
        clean.sampling,
        lambda shape: torch.randn(shape, generator=generator),
    )
    assert torch.allclose(left.latents, made)
    assert not left.level.any()
    noisy = make_past(trained.dit, window, settings.own_past, Draw(0, 0, 1, CPU))
    is_noised = (noisy.latents != made).flatten(3).any(3).any(1)
    assert torch.equal(is_noised, noisy.level > 0)
    assert 0 < is_noised.float().mean() < 0.7
    assert not noisy.latents.requires_grad


def test_clips_go_back_and_forth_without_a_jump() -> None:
    course = back_and_forth(4, 11, CPU)
    assert course.tolist() == [0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2]


def test_settings_read_and_impossible_shares_are_refused() -> None:
    settings = read_config(USUAL, RolloutStageConfig)
    assert settings.drift_seconds == 60
    assert settings.windows.known_head > 0.5, "a made head is not pulled to where the true one was"
    with pytest.raises(ConfigError, match="share"):
        dataclasses.replace(settings.own_past, share=0.0)
