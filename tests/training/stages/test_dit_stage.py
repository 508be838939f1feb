from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from engines.manifest import RegionRule
from engines.scene.boxes import Box
from engines.scene.regions import person_masks, token_regions
from export.publishing import STUDIO_REGION
from models.errors import ConfigError, InputError
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.stages.dit.dit_cli import SMOKE, USUAL, _first_weights
from training.stages.dit.shipped import WORDS, read_dit
from training.stages.dit.task import DitStageConfig, draw_levels
from training.stages.dit.windows import ClipBank, choose_moment, cut_window, draw_windows
from training.stages.dit.words import WordTable
from training.stages.latents.encoded import read_clip, write_clip
from training.stages.motion import HEAD
from training.stages.regions import ABOVE, BELOW, SIDEWAYS, face_regions
from training.studio.performance_data import ARKIT


def test_lips_follow_the_voice_of_dolls_it_never_saw_and_not_another_voice(
    single_run: Path,
) -> None:
    measured = [line for line in RunFolder(single_run).read_log() if line["kind"] == "measure"][-1]
    assert measured["lip_r_true"] > 0.5, "the read-out reads true latents"
    assert measured["lip_r_voice"] > 0.6 * measured["lip_r_true"]
    assert abs(measured["lip_r_shuffled"]) < 0.5 * measured["lip_r_voice"]


def test_lips_follow_the_voice_through_whole_streams(single_run: Path) -> None:
    measured = [line for line in RunFolder(single_run).read_log() if line["kind"] == "measure"][-1]
    assert measured["rollout_r"] > 0.8 * measured["rollout_r_true"] > 0.5
    assert measured["rollout_lag"] == 0
    assert abs(measured["rollout_r_shuffled"]) < 0.25 * measured["rollout_r"]


def test_the_weights_that_were_measured_are_left_for_the_next_stage(single_run: Path) -> None:
    trained = read_dit(single_run)
    assert trained.preset == "dolls"
    assert trained.facts["stage"] == "single"
    assert trained.facts["measures"]["rollout_r"] > 0.5
    assert "doll" in trained.words.words


def test_the_same_command_resumes_and_finds_nothing_left_to_do(single_run: Path) -> None:
    before = len(RunFolder(single_run).read_log())
    result = CliRunner().invoke(app, ["single", "--smoke", "--out", str(single_run)])
    assert result.exit_code == 0, result.output
    assert len(RunFolder(single_run).read_log()) == before


def test_a_window_is_cut_alike_from_latents_reference_regions_and_labels(single_run: Path) -> None:
    settings = read_config(SMOKE, DitStageConfig).windows
    bank = ClipBank([single_run / "dolls"])
    words = WordTable.of(bank.prompts(), 18, 6)
    window = draw_windows(bank, words, settings, Draw(0, 0, 0, torch.device("cpu")))
    assert window.latents.shape == (12, 8, 6, 4, 4)
    assert window.reference.shape == (12, 8, 1, 4, 4)
    assert window.people.shape == (12, 1, 4, 4)
    assert window.features.shape[2] == window.gap.shape[2] == 24
    assert window.weight.mean((1, 2, 3, 4)).tolist() == pytest.approx([1.0] * 12, abs=1e-5)
    assert (window.known.std(2) == 0).all(), "what is known stays known over a window"


def test_calm_examples_are_taken_where_heads_are_as_in_the_still(single_run: Path) -> None:
    """A head turns all the time: how far is it, in each example, from where the still has it?"""
    settings = read_config(SMOKE, DitStageConfig).windows
    clip = read_clip(single_run / "dolls" / "000.npz")
    motion = clip.motion.copy()
    motion[..., HEAD] = np.linspace(0, 1, motion.shape[1])[:, None]
    count = len(clip.stills)
    pictures = np.zeros_like(clip.pictures) + np.arange(count, dtype=np.uint8)[:, None, None, None]
    heads = motion[:, clip.still_frames, HEAD].swapaxes(0, 1)
    clip = clip._replace(motion=motion, still_heads=heads, pictures=pictures)
    words = WordTable.of(["a doll"], 18, 6)

    def furthest(calm_share: float) -> float:
        config = dataclasses.replace(settings, calm_share=calm_share)
        rng = np.random.default_rng(3)
        away = []
        for _ in range(40):
            window = cut_window(clip, words, config, settings.side, rng)
            still = round((float(window.picture.max()) + 1) * 127.5)
            told = window.motion[0, :, HEAD.start].numpy()
            # What is told is how far the head has turned since the still was taken.
            turned = told + float(heads[still, 0, 0])
            assert np.abs(motion[0, :, HEAD.start] - turned[0]).min() < 2e-3
            away.append(float(np.abs(told).max()))
        return float(np.mean(away))

    assert furthest(1.0) < 0.7 * furthest(0.0)


def test_lively_examples_show_another_face_than_the_still_does(single_run: Path) -> None:
    """A brow goes up once, for a fifth of the clip, and stays up meanwhile."""
    settings = read_config(SMOKE, DitStageConfig).windows
    clip = read_clip(single_run / "dolls" / "000.npz")
    motion = np.zeros_like(clip.motion)
    frames = motion.shape[1]
    motion[:, frames // 2 : frames // 2 + max(frames // 5, 4), ARKIT.index("browInnerUp")] = 1
    clip = clip._replace(motion=motion, still_heads=np.zeros_like(clip.still_heads))

    def change(lively_share: float) -> float:
        config = dataclasses.replace(settings, lively_share=lively_share)
        rng, away = np.random.default_rng(3), []
        for _ in range(60):
            first, still = choose_moment(clip, config, rng)
            span = slice(first * 4, (first + config.latent_frames) * 4)
            shown = motion[:, clip.still_frames[still], None]
            away.append(float(np.abs(motion[:, span] - shown).mean(1).sum()))
        return float(np.mean(away))

    assert change(1.0) > 1.4 * change(0.0)


def test_clips_survive_the_disk(single_run: Path, tmp_path: Path) -> None:
    clip = read_clip(single_run / "dolls" / "000.npz")
    write_clip(tmp_path / "again.npz", clip)
    again = read_clip(tmp_path / "again.npz")
    assert again.prompts == clip.prompts
    for name in ("latents", "stills", "faces", "regions", "features", "heard", "motion"):
        assert np.array_equal(getattr(again, name), getattr(clip, name))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "again.npz").read_bytes()[:500])
    with pytest.raises(InputError, match="encode it anew"):
        read_clip(tmp_path / "cut.npz")


def test_noise_levels_have_the_shares_that_were_asked_for() -> None:
    noise = read_config(USUAL, DitStageConfig).noise
    levels = draw_levels(noise, (400, 50), Draw(0, 0, 0, torch.device("cpu")))
    assert (levels == 1).float().mean().item() == pytest.approx(noise.full_share, abs=0.02)
    assert (levels <= noise.low_most).float().mean() > noise.low_share
    assert levels.min() >= 0
    assert levels.max() <= 1


def test_words_have_numbers_and_unknown_ones_share_one() -> None:
    table = WordTable.of(["A woman, smiling.", "a man smiling"], most=3, length=5)
    assert table.words == ("a", "smiling", ",")
    assert table.encode("Smiling, a dragon").tolist() == [3, 4, 2, 1, 0]
    assert table.encode("").tolist() == [0] * 5


def test_regions_are_those_that_an_engine_makes_of_the_same_boxes() -> None:
    boxes = np.array([[40.0, 50, 120, 150], [150, 40, 260, 170], [300, 60, 380, 160]])
    assert RegionRule(sideways=SIDEWAYS, above=ABOVE, below=BELOW) == STUDIO_REGION
    masks = person_masks([Box(*box) for box in boxes], STUDIO_REGION, 448, 256)
    ours = face_regions(boxes, (448, 256), 32)
    assert np.array_equal(ours.reshape(3, -1), token_regions(masks, 32))
    assert ours[(ours > 0) & (ours < 1)].size > 0, "a square may belong in part"


def test_impossible_windows_are_refused() -> None:
    settings = read_config(USUAL, DitStageConfig)
    with pytest.raises(ConfigError, match="side"):
        dataclasses.replace(settings.windows, side=5)
    with pytest.raises(ConfigError, match="shares"):
        dataclasses.replace(settings.noise, low_share=0.9, full_share=0.5)


def test_a_run_can_begin_with_another_s_weights_and_words(single_run: Path, tmp_path: Path) -> None:
    settings = read_config(SMOKE, DitStageConfig)
    shipped = read_dit(single_run)
    network = _first_weights(settings, "dolls", read_dit(single_run), tmp_path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, shipped.dit.state_dict()[name]), name
    assert (tmp_path / WORDS).read_text() == (single_run / WORDS).read_text()
