"""The decoder's stage on dolls: it learns, is told, and leaves latents alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from models.errors import ConfigError
from models.studio.motion import Motion
from models.studio.vae import StudioVAE
from models.studio.vae_movement import Told
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.stages.decoder import task as decoder_task
from training.stages.decoder.decoder_cli import JOINT, SMOKE, USUAL, able_to_be_told
from training.stages.decoder.filmed import Filmed, FilmedBank, FilmedSource, cropped, told_of
from training.stages.decoder.task import (
    DecoderStageConfig,
    DecoderTask,
    JointConfig,
    Shown,
    made_latents,
)
from training.stages.dit.banks import DOLLS, HELD_OUT_DOLLS
from training.stages.dit.shipped import read_dit
from training.stages.dit.smoke import doll_encoders
from training.stages.dit.windows import WindowConfig, choose_moment
from training.stages.motion import LIP_GAP
from training.stages.vae.lip_reader import LipReader
from training.stages.vae.shipped import read_vae

CPU = torch.device("cpu")
LESSONS = 120


@pytest.fixture(scope="module")
def decoder_run(single_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decoder")
    command = ["decoder", "--smoke", "--out", str(out), "--start", str(single_run)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def settings() -> DecoderStageConfig:
    return read_config(SMOKE, DecoderStageConfig)


class SameBatch(FilmedSource):
    """Draws one batch again and again."""

    def __init__(self, source: FilmedSource, batch: Filmed) -> None:
        super().__init__(source.bank, source.words, source.windows, source.weights)
        self.batch = batch

    def draw(self, draw: Draw) -> Filmed:
        return self.batch


def shown_error(vae: StudioVAE, batch: Filmed, z: Tensor, told: Told | None) -> float:
    with torch.no_grad():
        shown = vae.decode(z, vae.look(batch.window.picture), told=told).video
    return float(((shown - batch.video).abs() * batch.weight).mean())


def source_of(run: Path, folder: str, settings: DecoderStageConfig) -> FilmedSource:
    words = read_dit(run).words
    return FilmedSource(FilmedBank([run / folder]), words, settings.windows, settings.weights)


def test_the_stage_learns_to_show_dolls_it_never_saw(
    decoder_run: Path, single_run: Path, settings: DecoderStageConfig
) -> None:
    trained, dit = read_vae(decoder_run / "vae.safetensors"), read_dit(single_run).dit
    batch = source_of(single_run, HELD_OUT_DOLLS, settings).clips(8, 5)
    latents = made_latents(dit, batch.window, torch.Generator().manual_seed(1))

    untrained = shown_error(doll_encoders().vae, batch, latents, None)
    told = told_of(batch.window, latents)
    assert shown_error(trained, batch, latents, told) < 0.5 * untrained


def test_where_latents_say_nothing_the_decoder_shows_what_it_is_told(
    single_run: Path, settings: DecoderStageConfig
) -> None:
    drowned = replace(settings, true_share=1.0, true_noise=6.0, untold_share=0.0, crop=4)
    trained, source = read_dit(single_run), source_of(single_run, DOLLS, settings)
    batch = source.clips(8, 2)
    same = SameBatch(source, batch)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        vae = able_to_be_told(doll_encoders().vae, settings.movement_dim)
        task = DecoderTask(drowned, vae, trained.dit, LipReader(), same, batch)
    optimizer = torch.optim.Adam(task.network.parameters(), 3e-3)
    for step in range(LESSONS):
        optimizer.zero_grad()
        torch.autograd.backward(task.losses(Draw(0, 0, step, CPU))["loss"])
        optimizer.step()
    told = told_of(batch.window, batch.window.latents)
    others = told._replace(motion=Motion(told.motion.values.roll(1, 0), told.motion.known))
    z = 6 * torch.randn(batch.window.latents.shape, generator=torch.Generator().manual_seed(2))
    own, other = (shown_error(vae, batch, z, each) for each in (told, others))
    assert own < 0.97 * other, "each doll is told its own mouth"


def test_latents_stay_what_others_learned_from(decoder_run: Path, single_run: Path) -> None:
    trained, before = read_vae(decoder_run / "vae.safetensors"), doll_encoders().vae
    for name, tensor in before.encoder.state_dict().items():
        torch.testing.assert_close(trained.encoder.state_dict()[name], tensor, atol=1e-3, rtol=0)
    torch.testing.assert_close(trained.std, before.std, atol=1e-3, rtol=0)


def test_the_same_command_resumes_and_finds_nothing_left_to_do(
    decoder_run: Path, single_run: Path
) -> None:
    before = len(RunFolder(decoder_run).read_log())
    command = ["decoder", "--smoke", "--out", str(decoder_run), "--start", str(single_run)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert len(RunFolder(decoder_run).read_log()) == before


def test_an_autoencoder_that_can_be_told_shows_the_same_until_it_is_trained() -> None:
    plain = doll_encoders().vae
    told = able_to_be_told(plain, 16)
    assert able_to_be_told(told, 32) is told, "one that can be told stays as it is"
    latents, looked = torch.randn(1, 8, 2, 4, 4), plain.look(torch.rand(1, 3, 64, 64))
    now = Told(Motion(torch.rand(1, 1, 8, 56), torch.ones(1, 1, 8, 3)), torch.ones(1, 1, 4, 4))
    with torch.no_grad():
        shown = told.decode(latents, looked, told=now).video
        torch.testing.assert_close(shown, plain.decode(latents, looked).video)


def test_films_and_what_is_told_belong_together(
    single_run: Path, settings: DecoderStageConfig
) -> None:
    """A doll's mouth is as dark as its lip gap says: the film is the window's own moment."""
    batch = source_of(single_run, DOLLS, settings).draw(Draw(0, 0, 3, CPU))
    still = batch.window.picture[:, :, None]
    assert batch.video.shape[2] == settings.windows.frames
    moved = (batch.video - still).abs().mean((1, 3, 4))
    gap = batch.window.motion[:, 0, :, 52]
    assert gap.std() > 0.05
    cut, rows, columns = cropped(batch, 2, Draw(0, 0, 4, CPU).numpy)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (2, 2)
    down, across = (slice(16 * each.start, 16 * each.stop) for each in (rows, columns))
    torch.testing.assert_close(cut.video, batch.video[..., down, across])
    torch.testing.assert_close(cut.window.picture, batch.window.picture[..., down, across])
    shift = torch.tensor([across.start, down.start])
    torch.testing.assert_close(cut.eyes + shift, batch.eyes)
    torch.testing.assert_close(cut.window.mouths + shift, batch.window.mouths)
    assert moved.max() > 0


def test_only_what_decodes_learns(single_run: Path, settings: DecoderStageConfig) -> None:
    trained = read_dit(single_run)
    vae = able_to_be_told(doll_encoders().vae, settings.movement_dim)
    source = source_of(single_run, DOLLS, settings)
    task = DecoderTask(settings, vae, trained.dit, LipReader(), source, source.clips(4, 1))
    losses = task.losses(Draw(0, 0, 0, CPU))
    torch.autograd.backward(losses["loss"])
    learning = {name for name, each in task.network.named_parameters() if each.grad is not None}
    assert not any(name.startswith("vae.encoder.") for name in learning)
    assert {"vae.decoder.movement.to_eighth.weight", "eyes.to_motion.weight"} <= learning
    assert all(each.grad is None for each in trained.dit.parameters())
    assert all(each.grad is None for each in task.reader.parameters())


def test_a_transformer_that_learns_along_makes_what_the_film_shows(
    single_run: Path, settings: DecoderStageConfig
) -> None:
    """Its own share, measured with the decoder of the start: errors of pixels reach it."""
    trained, source = read_dit(single_run), source_of(single_run, DOLLS, settings)
    batch = source.clips(8, 2)
    vae = able_to_be_told(doll_encoders().vae, settings.movement_dim)
    begun = copy.deepcopy(vae)
    alone = replace(settings, true_share=0.0, joint=JointConfig(latents=0.0, second_share=0.3))
    task = DecoderTask(alone, vae, trained.dit, LipReader(), SameBatch(source, batch), batch)

    def error() -> float:
        latents = made_latents(trained.dit, batch.window, torch.Generator().manual_seed(1))
        return shown_error(begun, batch, latents, told_of(batch.window, latents))

    before = error()
    optimizer = torch.optim.Adam(trained.dit.parameters(), 1e-3)
    for step in range(30):
        optimizer.zero_grad()
        torch.autograd.backward(task.losses(Draw(0, 0, step, CPU))["loss"])
        optimizer.step()
    assert error() < 0.9 * before


def test_mouths_that_are_the_films_read_alike_and_others_do_not(
    single_run: Path, settings: DecoderStageConfig
) -> None:
    trained, source = read_dit(single_run), source_of(single_run, DOLLS, settings)
    batch = source.clips(4, 1)
    vae = able_to_be_told(doll_encoders().vae, settings.movement_dim)
    weighed = replace(settings, losses=replace(settings.losses, gaps=2.0))
    task = DecoderTask(settings, vae, trained.dit, LipReader(), SameBatch(source, batch), batch)
    whole, _, _ = cropped(batch, 4, Draw(0, 0, 0, CPU).numpy)
    same = task._misread_mouths(Shown(whole, whole.video), Draw(0, 0, 0, CPU))
    assert float(same["mouths"]) == float(same["gaps"]) == 0
    other = task._misread_mouths(Shown(whole, whole.video.roll(1, 0)), Draw(0, 0, 0, CPU))
    assert other["mouths"] > 0 < other["gaps"]
    without = task.losses(Draw(0, 0, 0, CPU))
    task.config = weighed
    counted = task.losses(Draw(0, 0, 0, CPU))
    torch.testing.assert_close(counted["loss"], without["loss"] + 2.0 * without["gaps"])


def test_the_reader_looks_from_another_place_every_time(
    single_run: Path, settings: DecoderStageConfig
) -> None:
    trained, source = read_dit(single_run), source_of(single_run, DOLLS, settings)
    batch = source.clips(4, 1)
    vae = able_to_be_told(doll_encoders().vae, settings.movement_dim)
    task = DecoderTask(settings, vae, trained.dit, LipReader(), source, batch)
    whole, _, _ = cropped(batch, 4, Draw(0, 0, 0, CPU).numpy)
    shown = Shown(whole, whole.video.roll(1, 0))
    first, again, other = (
        float(task._misread_mouths(shown, Draw(0, 0, step, CPU))["mouths"]) for step in (0, 0, 1)
    )
    assert first == again != other


def test_the_second_of_two_steps_begins_half_way(
    single_run: Path, settings: DecoderStageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = source_of(single_run, DOLLS, settings).clips(2, 1).window
    asked: list[tuple[Tensor, Tensor]] = []

    def predict(dit: object, window: object, noisy: Tensor, level: Tensor, **_: bool) -> Tensor:
        asked.append((noisy, level))
        return noisy

    monkeypatch.setattr(decoder_task, "predict_clean", predict)
    dit, generator = read_dit(single_run).dit, torch.Generator().manual_seed(1)
    decoder_task._latents_from(dit, window, generator, torch.tensor([True, False]))
    ((noisy, level),) = asked
    assert level.tolist() == [[0.5, 0.5], [1.0, 1.0]]
    half, whole = 2 * noisy[0] - window.latents[0], noisy[1]
    for noise in (half, whole):  # all frames of an example begin with the same
        torch.testing.assert_close(noise[:, 0], noise[:, 1])
        assert 0.8 < noise.std() < 1.2


def test_windows_can_be_those_in_which_lips_move(
    single_run: Path, settings: DecoderStageConfig
) -> None:
    source = source_of(single_run, DOLLS, settings)
    usual = replace(settings.windows, lively_share=0.0)
    moving = replace(usual, open_share=1.0)

    def motion(windows: WindowConfig) -> float:
        rng, found = np.random.default_rng(0), []
        for _ in range(60):
            clip = source.bank.clip(int(rng.integers(len(source.bank))))
            first, _ = choose_moment(clip, windows, rng)
            span = slice(first * 4, (first + windows.latent_frames) * 4)
            found.append(clip.motion[0, span, LIP_GAP].astype(np.float32).std())
        return float(np.mean(found))

    assert motion(moving) > 1.1 * motion(usual)


def test_a_joint_run_writes_both_networks(single_run: Path, tmp_path: Path) -> None:
    command = ["decoder", "--smoke", "--joint", "--out", str(tmp_path), "--start", str(single_run)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    before, after = (read_dit(folder).dit.state_dict() for folder in (single_run, tmp_path))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"audio_tokens.enter.weight", "head.head.weight"} <= moved
    assert read_vae(tmp_path / "vae.safetensors").cfg.movement_dim
    losses = [line for line in RunFolder(tmp_path).read_log() if line["kind"] == "loss"]
    assert losses[-1]["latents"] < losses[0]["latents"]


def test_settings_without_a_joint_table_are_refused_for_a_joint_run(
    single_run: Path, tmp_path: Path
) -> None:
    options = ["--joint", "--config", str(USUAL), "--start", str(single_run)]
    result = CliRunner().invoke(app, ["decoder", "--out", str(tmp_path / "run"), *options])
    assert result.exit_code == 1
    assert "has no joint table" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--vae"),
        (["--vae", "VAE"], "--start"),
        (["--vae", "VAE", "--start", "RUN"], "--clips"),
        (["--vae", "VAE", "--start", "RUN", "--clips", "CLIPS"], "--held-out"),
    ],
)
def test_what_is_missing_is_named(
    decoder_run: Path, single_run: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    places = {
        "VAE": decoder_run / "vae.safetensors",
        "RUN": single_run,
        "CLIPS": single_run / DOLLS,
    }
    named = [str(places.get(each, each)) for each in options]
    result = CliRunner().invoke(app, ["decoder", "--out", str(tmp_path / "run"), *named])
    assert result.exit_code == 1
    assert told in result.output


def test_settings_that_cannot_be_are_refused() -> None:
    usual = read_config(USUAL, DecoderStageConfig)
    with pytest.raises(ConfigError, match="true_share"):
        replace(usual, true_share=1.5)
    with pytest.raises(ConfigError, match="not negative"):
        replace(usual, weights=replace(usual.weights, eyes=-1.0))
    with pytest.raises(ConfigError, match="negative weight"):
        replace(usual, losses=replace(usual.losses, eyes=-1.0))
    with pytest.raises(ConfigError, match="a share outside"):
        JointConfig(latents=0.3, second_share=1.2)


def test_the_usual_joint_settings_can_be_read() -> None:
    assert read_config(USUAL, DecoderStageConfig).joint is None
    assert read_config(JOINT, DecoderStageConfig).joint is not None
