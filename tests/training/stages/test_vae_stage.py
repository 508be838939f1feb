from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from models.errors import CheckpointError, InputError
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.stages.clip_pool import check_long_enough
from training.stages.dolls import DollPool, doll_clip
from training.stages.vae.crops import CropConfig, as_pixels, draw_batch, mirrored
from training.stages.vae.measures import HeldOut, edge_ratio, rebuild
from training.stages.vae.shipped import READER, read_reader, read_vae
from training.stages.vae.task import VaeLearner, VaeStageConfig, VaeTask, motion_error
from training.stages.vae.vae_cli import SMOKE, USUAL

HELD_OUT = 990_000
CROPS = CropConfig(
    batch=3,
    latent_frames=2,
    side_px=48,
    aim="face",
    aim_share=1.0,
    jitter=0.0,
    looks=1,
    floor_weight=0.5,
    mouth_weight=4.0,
    eye_weight=2.0,
)


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vae")
    result = CliRunner().invoke(app, ["vae", "--smoke", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_the_stage_learns_to_draw_dolls_it_never_saw(smoke_run: Path) -> None:
    dolls = [doll_clip(np.random.default_rng(HELD_OUT + 100 + k), 16, 64) for k in range(4)]
    trained = read_vae(smoke_run / "vae.safetensors")
    settings = read_config(SMOKE, VaeStageConfig)
    untrained = VaeLearner(settings.vae).vae.eval()

    def error(vae: torch.nn.Module) -> float:
        differences = [rebuild(vae, doll).video.astype(float) - doll.video for doll in dolls]  # type: ignore[arg-type]
        return float(np.mean([np.square(each).mean() for each in differences]))

    assert error(trained) < error(untrained) / 8


def test_shipped_latents_have_unit_variance(smoke_run: Path) -> None:
    vae = read_vae(smoke_run / "vae.safetensors")
    rng = np.random.default_rng(HELD_OUT + 200)
    videos = [as_pixels(doll_clip(rng, 16, 64).video).transpose(0, 1) for _ in range(8)]
    with torch.no_grad():
        latents = vae.encode(torch.stack(videos))
    assert latents.mean().abs() < 0.3
    assert 0.6 < latents.std() < 1.5


def test_the_same_command_resumes_and_finds_nothing_left_to_do(smoke_run: Path) -> None:
    before = len(RunFolder(smoke_run).read_log())
    result = CliRunner().invoke(app, ["vae", "--smoke", "--out", str(smoke_run)])
    assert result.exit_code == 0, result.output
    assert len(RunFolder(smoke_run).read_log()) == before


def test_training_on_people_asks_for_their_folders(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["vae", "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "--held-out" in result.output


def test_settings_for_people_are_those_of_the_shipped_model() -> None:
    assert read_config(USUAL, VaeStageConfig).vae.latent_channels == 16


def test_a_crop_shows_reference_video_and_mouth_at_one_place() -> None:
    batch = draw_batch(DollPool(16, 64), CROPS, Draw(0, 0, 0, torch.device("cpu")))
    assert batch.video.shape == (3, 3, 8, 48, 48)
    assert batch.reference.shape == (3, 3, 48, 48)
    assert batch.is_face.all()
    across, down = batch.mouth[0, 0].round().long()
    at_mouth = batch.weight[0, 0, 0, down, across]
    assert at_mouth > 0.8 * batch.weight[0, 0, 0].max()
    assert batch.weight[0, 0, 0, 0, 0] < 1.0


def test_a_mirrored_example_keeps_its_mouth_under_the_lips() -> None:
    batch = draw_batch(DollPool(16, 64), CROPS, Draw(1, 0, 0, torch.device("cpu")))
    one = type(batch)(*(part[0] for part in batch))
    other = mirrored(one)
    x, y = one.mouth[0].round().long()
    mirrored_x, mirrored_y = other.mouth[0].round().long()
    assert torch.equal(one.video[:, 0, y, x], other.video[:, 0, mirrored_y, mirrored_x])


def test_edge_ratio_is_one_for_even_motion_and_high_for_jumps_between_latent_frames() -> None:
    even = np.arange(16, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    jumps = even // 4 * 4 + even % 2
    assert edge_ratio(even) == pytest.approx(1)
    assert edge_ratio(jumps) > 2


def test_stretches_longer_than_clips_are_refused() -> None:
    with pytest.raises(InputError, match="a clip has 16"):
        check_long_enough(DollPool(16, 64), 20)


def test_a_new_run_can_begin_where_another_ended(smoke_run: Path, tmp_path: Path) -> None:
    weights = smoke_run / "vae.safetensors"
    command = ["vae", "--smoke", "--out", str(tmp_path), "--start", str(weights)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    first = next(line for line in RunFolder(tmp_path).read_log() if line["kind"] == "loss")
    fresh = next(line for line in RunFolder(smoke_run).read_log() if line["kind"] == "loss")
    assert first["pixels"] < fresh["pixels"] / 2


def test_the_decoder_can_learn_alone_while_latents_stay() -> None:
    settings = replace(read_config(SMOKE, VaeStageConfig), learns="decoder")
    task = VaeTask(settings, DollPool(24, 64), HeldOut(()))
    losses = task.losses(Draw(0, 0, 0, torch.device("cpu")))
    torch.autograd.backward(losses["loss"])
    learner = task.network
    assert all(parameter.grad is None for parameter in learner.vae.encoder.parameters())
    assert any(parameter.grad is not None for parameter in learner.vae.decoder.parameters())
    assert any(parameter.grad is not None for parameter in learner.reader.parameters())


def test_seams_between_latent_frames_count_more_when_asked() -> None:
    weight = torch.ones(1, 1, 8, 2, 2)
    inside, at_seam = torch.zeros(1, 3, 8, 2, 2), torch.zeros(1, 3, 8, 2, 2)
    inside[:, :, 2:] = at_seam[:, :, 4:] = 1  # one jump each, and none after it
    assert motion_error(inside, weight, 3.0) == motion_error(inside, weight, 1.0)
    assert torch.allclose(
        motion_error(at_seam, weight, 3.0), 3 * motion_error(at_seam, weight, 1.0)
    )


def test_the_shipped_reader_is_what_a_later_run_begins_with(smoke_run: Path) -> None:
    reader = read_reader(smoke_run / READER)
    assert not any(parameter.requires_grad for parameter in reader.parameters())
    with pytest.raises(CheckpointError, match="lip reader"):
        read_reader(smoke_run / "vae.safetensors")
