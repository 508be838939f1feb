from __future__ import annotations

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from training.cli import app
from training.stages.latents.encoded import clip_files, read_clip


def test_dolls_are_encoded_with_all_that_a_transformer_learns_from(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["encode", "--smoke", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    files = clip_files(tmp_path / "dolls")
    assert len(files) > len(clip_files(tmp_path / "held-out-dolls")) > 4
    clips = [read_clip(file) for file in files]
    assert {clip.people for clip in clips} == {1}
    assert all(clip.features.shape[1] == 4 * clip.frames for clip in clips)
    latents = np.concatenate([clip.latents.astype(np.float32) for clip in clips])
    assert np.allclose(latents.mean((0, 2, 3)), 0, atol=0.5)
    assert np.allclose(latents.std((0, 2, 3)), 1, atol=0.5), "latents come scaled"
    assert min(clip.motion[0, :, 52].astype(np.float32).std() for clip in clips) > 0.05


def test_what_is_to_be_encoded_must_be_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["encode", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "--clips, --vae and --audio" in result.output


def test_people_are_apart_only_in_cells(tmp_path: Path) -> None:
    for name in ("clips", "vae", "audio"):
        (tmp_path / name).touch()
    named = [x for n in ("clips", "vae", "audio") for x in (f"--{n}", str(tmp_path / n))]
    result = CliRunner().invoke(app, ["encode", "--out", str(tmp_path), "--apart", *named])
    assert result.exit_code == 1
    assert "are for --cell" in result.output
