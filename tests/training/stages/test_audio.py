"""The audio stage learns: the whole command on tiny settings, with espeak-ng alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from models.errors import CheckpointError
from training.cli import app
from training.runs.folder import RunFolder
from training.stages.audio.measures import hear
from training.stages.audio.shipped import read_encoder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audio")
    result = CliRunner().invoke(app, ["audio", "--smoke", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def measures(run: Path) -> dict[str, float]:
    described = json.loads((run / "audio_encoder.json").read_text())
    found: dict[str, float] = described["measures"]
    return found


def test_it_hears_mouths_of_held_out_voices(run: Path) -> None:
    found = measures(run)
    assert found["gap_r"] > 0.4  # an untrained encoder: 0.0 +- 0.1
    assert found["relative_error"] < 0.9  # the best constant: 1
    assert found["curves_r"] > 0.3


def test_it_hears_them_in_time(run: Path) -> None:
    assert measures(run)["best_lag_frames"] == 0


def test_the_loss_falls_and_is_logged(run: Path) -> None:
    losses = [line["shape"] for line in RunFolder(run).read_log() if line["kind"] == "loss"]
    assert losses[-1] < 0.7 * losses[0]
    assert (run / "curves.png").exists()


def test_the_weights_are_read_back_and_hear_the_same(run: Path) -> None:
    encoder = read_encoder(run / "audio_encoder.safetensors")
    wave = np.random.default_rng(0).normal(size=(1, 6400)) * 0.05
    assert hear(encoder, wave).shape == (1, 10, 53)
    assert all(p.dtype is torch.float32 for p in encoder.parameters())


def test_a_finished_run_is_measured_again_without_training(run: Path) -> None:
    before = RunFolder(run).read_log()
    result = CliRunner().invoke(app, ["audio", "--smoke", "--out", str(run)])
    assert result.exit_code == 0, result.output
    assert RunFolder(run).read_log() == before


def test_weights_without_their_description_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read the audio encoder"):
        read_encoder(tmp_path / "missing.safetensors")
