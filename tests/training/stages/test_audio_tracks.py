"""Claims about the audio stage's data: targets, augmentation, folders, measures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.studio.audio_config import studio_audio
from models.studio.log_mel import LogMel
from training.runs.config_file import read_config
from training.stages.audio.audio_cli import SMOKE, USUAL
from training.stages.audio.lip_gap import GAP_MM_BY_CURVE, lip_gap_mm
from training.stages.audio.measures import best_lag, correlation, shut_share
from training.stages.audio.mel_augmentation import MelAugmentation, change
from training.stages.audio.noises import draw_noise
from training.stages.audio.real_voices import speaking
from training.stages.audio.task import AudioStageConfig
from training.stages.audio.track_folder import TrackFolder
from training.stages.audio.tracks import CURVES, PHONE_NAMES, make_track, mouth_targets
from training.studio.acting import visemes
from training.studio.acting.viseme_shapes import VISEMES
from training.studio.assets import asset_folder
from training.studio.people.figure import build_figure
from training.studio.people.identity import sample_identity
from training.studio.people.library import Library
from training.studio.performance_data import ARKIT, Phone
from training.studio.speech.catalogue import open_catalogue


def phones(*symbols: str, seconds: float = 0.2) -> tuple[Phone, ...]:
    return tuple(
        Phone(start=k * seconds, end=(k + 1) * seconds, symbol=symbol)
        for k, symbol in enumerate(symbols)
    )


def voice(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (np.random.default_rng(0).normal(size=count) * 0.08).astype(np.float32)


def test_an_open_vowel_parts_the_lips_and_a_closure_presses_them() -> None:
    said = phones("SIL", "AA", "M", "AA", "SIL", seconds=0.4)
    targets = mouth_targets(said, voice(32_000), 50)
    gap = targets.curves[:, -1]
    assert targets.curves.shape == (50, CURVES)
    assert gap[15] > 1.0  # in units of 10 mm
    assert gap[24] < 0
    np.testing.assert_allclose(gap[[0, 1, -1]], 0, atol=0.02)
    assert [PHONE_NAMES[k] for k in targets.phones[[0, 15, 25, 35, 49]]] == [
        *("SIL", "AA", "M", "AA", "SIL"),
    ]


def test_the_lip_gap_is_linear_in_the_curves() -> None:
    curves = np.zeros((3, len(ARKIT)), np.float32)
    curves[1:, ARKIT.index("jawOpen")] = 0.5
    curves[2, ARKIT.index("mouthClose")] = 0.5
    np.testing.assert_allclose(lip_gap_mm(curves), [0, 17.1, 0], atol=1e-5)


@pytest.mark.studio
@pytest.mark.parametrize("seed", [2, 31])
def test_the_lip_gap_is_that_of_the_studios_figures(seed: int) -> None:
    figure = build_figure(sample_identity(seed), Library(asset_folder()))
    upper, lower = figure.lip_rows
    moved = figure.deltas.reshape(len(ARKIT), -1, 3)
    truth_mm = (moved[:, upper, 1] - moved[:, lower, 1]) * 1000
    ours = np.array([GAP_MM_BY_CURVE.get(name, 0.0) for name in ARKIT])
    np.testing.assert_allclose(ours, truth_mm, atol=0.06)


def unchanged() -> MelAugmentation:
    return MelAugmentation(
        warp=0.0,
        gain_db=(0.0, 0.0),
        tilt_db=0.0,
        bump_db=0.0,
        low_pass_chance=0.0,
        noise_chance=0.0,
        noise_snr_db=(20.0, 20.0),
        noise_only_chance=0.0,
    )


def log_mels(samples: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    front = LogMel(studio_audio())
    return np.asarray(front(samples, torch.zeros(len(samples), front.past_samples))[0])


def test_gain_on_log_mels_is_gain_on_samples() -> None:
    rng = np.random.default_rng(0)
    samples = torch.from_numpy(rng.normal(size=(2, 3200)).astype(np.float32)) * 0.05
    quieter = dataclasses.replace(unchanged(), gain_db=(-20.0, -20.0))
    mels = log_mels(samples)
    ours = change(mels, mels, quieter, rng).mels
    np.testing.assert_allclose(ours, log_mels(samples * 0.1), atol=1e-4)


def test_noise_on_log_mels_is_noise_of_that_ratio() -> None:
    rng = np.random.default_rng(0)
    tone = 0.1 * torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)[None]
    hiss = torch.from_numpy(rng.normal(size=(1, 16_000)).astype(np.float32)) * 0.3
    noisy = dataclasses.replace(unchanged(), noise_chance=1.0)
    ours = change(log_mels(tone), log_mels(hiss), noisy, rng).mels
    powers = [np.expm1(5 * log_mels(each)).mean() for each in (tone, hiss)]
    added = log_mels(tone + hiss * float(np.sqrt(powers[0] / powers[1])) * 0.1)
    assert abs(float(ours.mean()) - float(added.mean())) < 0.02


def test_noise_alone_is_marked_as_such() -> None:
    rng = np.random.default_rng(0)
    mels = log_mels(torch.from_numpy(rng.normal(size=(40, 1600)).astype(np.float32)))
    half = dataclasses.replace(unchanged(), noise_only_chance=0.5)
    marked = change(mels, mels, half, rng).is_noise_only
    assert 10 < int(marked.sum()) < 30


def test_noises_of_all_kinds_fit_and_do_not_clip() -> None:
    for seed in range(6):
        noise = draw_noise(48_000, "train", np.random.default_rng(seed))
        assert noise.shape == (48_000,)
        assert 0 < np.abs(noise).max() <= 0.9001


def test_the_same_seed_gives_the_same_track() -> None:
    settings = read_config(SMOKE, AudioStageConfig).tracks.tracks
    catalogue = open_catalogue("train", ["espeak"])
    one, same, other = (
        make_track(settings, catalogue, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    catalogue.close()
    assert one.voice == same.voice
    np.testing.assert_array_equal(one.samples, same.samples)
    np.testing.assert_array_equal(one.targets, same.targets)
    assert not np.array_equal(one.samples, other.samples)


def test_a_folder_of_other_tracks_is_refused(tmp_path: Path) -> None:
    settings = read_config(SMOKE, AudioStageConfig).tracks
    TrackFolder(tmp_path, settings)
    with pytest.raises(InputError, match="differing: seed"):
        TrackFolder(tmp_path, dataclasses.replace(settings, seed=5))


def test_tracks_of_other_mouths_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_config(SMOKE, AudioStageConfig).tracks
    TrackFolder(tmp_path, settings)
    TrackFolder(tmp_path, settings)
    rounder = dict(VISEMES) | {"UW": VISEMES["W"]}
    monkeypatch.setattr(visemes, "VISEMES", rounder)
    with pytest.raises(InputError, match="differing: mouths"):
        TrackFolder(tmp_path, settings)


def test_the_settings_train_the_encoder_that_is_documented() -> None:
    assert read_config(USUAL, AudioStageConfig).encoder == studio_audio()


def test_a_late_prediction_is_found_out() -> None:
    truth = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32)
    assert best_lag(truth, truth) == 0
    assert best_lag(truth, np.roll(truth, 2, axis=1)) == 2
    assert best_lag(truth, np.roll(truth, -1, axis=1)) == -1


def test_a_constant_correlates_with_nothing() -> None:
    assert correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1)
    assert correlation([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) == 0


def test_a_closure_counts_when_the_lips_meet_during_it() -> None:
    said = np.array([[0, 0, PHONE_NAMES.index("AA"), PHONE_NAMES.index("B"), 0, 0]] * 2, np.uint8)
    gap = np.array([[0.0, 0, 1, 0.1, 1, 0], [0.0, 0, 1, 0.9, 1, 0]], np.float32)
    assert shut_share(gap, said) == 0.5


def test_short_pauses_belong_to_speech_and_long_ones_do_not() -> None:
    levels = np.zeros(100)
    levels[20:40] = levels[45:60] = 0.1
    found = speaking(levels)
    assert found[20:60].all()
    assert not found[:12].any()
    assert not found[70:].any()
