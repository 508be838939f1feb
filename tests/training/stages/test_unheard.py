"""Weights that never heard a voice: what two bindings are compared from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from models.studio.config import Binding
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.stages.dit.banks import dolls
from training.stages.dit.dit_cli import SMOKE
from training.stages.dit.prediction import predict_clean
from training.stages.dit.shipped import read_dit
from training.stages.dit.task import DitStageConfig
from training.stages.dit.unheard import unheard
from training.stages.dit.windows import windows_of


@pytest.mark.parametrize("binding", list(Binding))
@torch.no_grad()
def test_they_follow_pictures_and_prompts_and_no_voice(single_run: Path, binding: Binding) -> None:
    trained = read_dit(single_run)
    windows = read_config(SMOKE, DitStageConfig).windows
    draw = windows_of(dolls(single_run).held_out, trained.words, windows)
    window = draw(Draw(3, 0, 0, torch.device("cpu")))
    level = torch.ones(len(window.latents), window.latents.shape[2])
    noise = torch.randn(window.latents.shape, generator=torch.Generator().manual_seed(1))
    other = window._replace(features=window.features.roll(1, 0), motion=window.motion.roll(1, 0))
    made = unheard(trained, binding, seed=0)
    assert made.dit.studio.binding is binding
    assert made.words == trained.words
    one, same = (predict_clean(made.dit, each, noise, level) for each in (window, other))
    torch.testing.assert_close(one, same, msg="whoever speaks")
    heard = predict_clean(trained.dit, other, noise, level)
    assert not torch.allclose(predict_clean(trained.dit, window, noise, level), heard, atol=1e-4)
    kept = dict(trained.dit.named_parameters())
    shared = [
        name for name, x in made.dit.named_parameters() if torch.equal(x, kept.get(name, x + 1))
    ]
    assert {"patch_embedding.weight", "text_encoder.words.weight"} <= set(shared)


def test_a_run_can_begin_with_them_and_bind_otherwise(single_run: Path, tmp_path: Path) -> None:
    given = ["single", "--smoke", "--unheard", "--binding", "labels", "--out", str(tmp_path)]
    refused = CliRunner().invoke(app, given)
    assert refused.exit_code == 1
    assert "--start" in refused.output
    made = CliRunner().invoke(app, [*given, "--start", str(single_run)])
    assert made.exit_code == 0, made.output
    assert read_dit(tmp_path).dit.studio.binding is Binding.LABELS
