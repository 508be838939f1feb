from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from models.encoders.waveform import (
    AudioRecipe,
    anytalker_audio,
    check_waveform,
    frame_count,
    multitalk_audio,
    normalize_loudness,
    pad_to_frames,
    prepare_waveform,
    standardize,
)
from models.errors import ConfigError, InputError


def tone(seconds: float, amplitude: float) -> Tensor:
    return amplitude * torch.sin(torch.arange(int(seconds * 16_000)) * (2 * math.pi * 997 / 16_000))


def test_a_full_scale_tone_near_1_khz_is_brought_from_minus_3_to_minus_23_lufs() -> None:
    # BS.1770: a 997 Hz full-scale sine in one channel reads -3.01 LKFS.
    loud = tone(2.0, 1.0)
    gain_db = 20 * math.log10(float(normalize_loudness(loud, -23.0).abs().max()))
    assert gain_db == pytest.approx(-23.0 + 3.01, abs=0.1)


def test_a_clip_too_short_to_meter_keeps_its_level() -> None:
    short = tone(0.3, 0.5)
    assert torch.equal(normalize_loudness(short, -23.0), short)


def test_silence_keeps_its_level_and_stays_silent() -> None:
    silence = torch.zeros(16_000)
    assert torch.equal(prepare_waveform(silence, multitalk_audio()), silence)


def test_a_prepared_waveform_has_zero_mean_and_unit_variance() -> None:
    prepared = prepare_waveform(tone(1.0, 0.01) + 0.2, anytalker_audio()).double()
    assert float(prepared.mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(prepared.square().mean()) == pytest.approx(1.0, abs=0.01)


def test_loudness_is_only_multitalks_step() -> None:
    quiet = tone(1.0, 6e-4)  # -67 LUFS: the floor under the variance tells the two apart
    loud = prepare_waveform(quiet, multitalk_audio())
    as_is = prepare_waveform(quiet, anytalker_audio())
    assert torch.equal(as_is, standardize(quiet))
    assert float(loud.std()) > 1.2 * float(as_is.std())


@pytest.mark.parametrize(
    ("samples", "frames_25", "frames_24"),
    [
        (21_920, 34, 33),  # 1.37 s
        (640, 1, 1),
        (18_560, 28, 28),  # 29 frames of 640: the published floating point gives 28
        (16_001, 25, 25),
        (639, 0, 1),
    ],
)
def test_frames_are_counted_as_the_published_code_counts_them(
    samples: int, frames_25: int, frames_24: int
) -> None:
    assert frame_count(samples, multitalk_audio()) == frames_25
    assert frame_count(samples, anytalker_audio()) == frames_24


def test_padding_adds_whole_multiples_of_666_samples_at_24_fps() -> None:
    samples = torch.ones(10_000)  # 15 frames
    padded = pad_to_frames(samples, 20, anytalker_audio())
    assert padded.shape[0] == 10_000 + 5 * 666
    assert torch.equal(padded[:10_000], samples)
    assert not padded[10_000:].any()
    assert torch.equal(pad_to_frames(samples, 10, anytalker_audio()), samples)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(2, 100), "mono"),
        (torch.zeros(100, dtype=torch.int16), "float32"),
        (torch.zeros(100, dtype=torch.float64), "float32"),
        (torch.tensor([0.0, float("nan")]), "NaN"),
        (torch.tensor([0.0, float("inf")]), "NaN or infinity"),
        (torch.tensor([0.0, 20_000.0]), "32768"),
    ],
)
def test_what_is_no_track_is_refused(samples: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_waveform(samples)


def test_an_empty_track_is_refused_as_a_recording_but_not_as_a_push() -> None:
    check_waveform(torch.zeros(0))
    with pytest.raises(InputError, match="empty"):
        prepare_waveform(torch.zeros(0), multitalk_audio())


def test_a_frame_rate_above_the_convolutions_is_refused() -> None:
    with pytest.raises(ConfigError, match="60"):
        AudioRecipe(fps=60, rounding="floor", loudness_lufs=None)
