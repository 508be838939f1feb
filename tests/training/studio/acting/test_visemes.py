# ruff: noqa: RUF001 - phonetic letters are meant, however much they look like Latin ones

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.training.studio.made_up import phones_of, tone
from training.studio.acting.visemes import closed_frames, lip_opening, mouth_curves
from training.studio.performance_data import ARKIT, FPS, Floats, Phone
from training.studio.speech.phones import (
    BILABIALS,
    SYMBOLS,
    filled,
    symbol_of_arpabet,
    symbol_of_ipa,
)

SECONDS = 2.0
FRAMES = round(SECONDS * FPS)


def curves_of(*symbols: str, seconds: float = 0.12) -> tuple[Floats, tuple[Phone, ...]]:
    said = phones_of(*symbols, seconds=seconds)
    moved = tuple(Phone(start=p.start + 0.5, end=p.end + 0.5, symbol=p.symbol) for p in said)
    covering = filled(moved, SECONDS)
    return mouth_curves(covering, tone(SECONDS), FRAMES), covering


def frame_of(phones: tuple[Phone, ...], symbol: str) -> int:
    phone = next(phone for phone in phones if phone.symbol == symbol)
    return int((phone.start + phone.end) / 2 * FPS)


@pytest.mark.parametrize("symbol", sorted(BILABIALS))
@pytest.mark.parametrize("seconds", [0.03, 0.05, 0.09])
def test_bilabials_shut_the_lips_however_short_and_wherever_the_frames_fall(
    symbol: str, seconds: float
) -> None:
    for start in np.linspace(0.4, 0.44, 9):
        vowels = ("AA", symbol, "AA")
        lengths = (0.15, seconds, 0.15)
        edges = start + np.cumsum([0, *lengths])
        phones = filled(
            tuple(
                Phone(start=float(a), end=float(b), symbol=s)
                for a, b, s in zip(edges[:-1], edges[1:], vowels, strict=True)
            ),
            SECONDS,
        )
        curves = mouth_curves(phones, tone(SECONDS), FRAMES)
        shut = closed_frames(phones, FRAMES)
        assert shut
        assert lip_opening(curves)[shut].max() == 0
        lips = [ARKIT.index("mouthLowerDownLeft"), ARKIT.index("mouthUpperUpRight")]
        assert curves[np.ix_(shut, lips)].max() == 0


def test_open_vowels_open_the_jaw_more_than_close_ones_and_those_more_than_hisses() -> None:
    curves, phones = curves_of("AA", "T", "IY", "S", "S", seconds=0.2)
    opening = lip_opening(curves)
    at = {symbol: opening[frame_of(phones, symbol)] for symbol in ("AA", "IY", "S")}
    assert at["AA"] > 0.4
    assert at["AA"] > at["IY"] > at["S"] > 0


def test_rounded_vowels_pucker_and_spread_ones_do_not() -> None:
    pucker = ARKIT.index("mouthPucker")
    round_curves, phones = curves_of("UW", seconds=0.25)
    spread, _ = curves_of("IY", seconds=0.25)
    frame = frame_of(phones, "UW")
    assert round_curves[frame, pucker] > 0.4 > 10 * spread[frame, pucker]


def test_rounding_is_anticipated_while_the_jaw_is_not() -> None:
    curves, phones = curves_of("S", "UW", seconds=0.2)
    alone, _ = curves_of("S", "IY", seconds=0.2)
    early = frame_of(phones, "S") + 1
    pucker = ARKIT.index("mouthPucker")
    assert curves[early, pucker] > alone[early, pucker] + 0.05


def test_the_mouth_rests_in_silence() -> None:
    curves, _ = curves_of("AA", "M", "OW")
    assert curves[:8].max() < 1e-6
    assert curves[-15:].max() < 1e-6
    assert mouth_curves(filled((), 2.0), np.zeros(32_000, np.float32), FRAMES).max() == 0


def test_curves_are_sampled_at_the_frame_rate_and_stay_within_0_and_1() -> None:
    curves, _ = curves_of("AA", "W", "P", "EH")
    assert curves.shape == (FRAMES, len(ARKIT))
    assert curves.dtype == np.float32
    assert curves.min() >= 0
    assert curves.max() <= 1


def test_curves_without_closures_move_smoothly() -> None:
    curves, _ = curves_of("AA", "S", "OW", "T", "EH", "L", "IY")
    assert np.abs(np.diff(curves, axis=0)).max() < 0.45


def test_the_lips_lead_the_sound_by_less_than_a_frame() -> None:
    phones = filled((Phone(start=1.0, end=1.3, symbol="AA"),), SECONDS)
    jaw = mouth_curves(phones, tone(SECONDS), FRAMES)[:, ARKIT.index("jawOpen")]
    center = float(np.sum(jaw * (np.arange(FRAMES) + 0.5) / FPS) / jaw.sum())
    assert center == pytest.approx(1.15 - 0.02, abs=0.012)


def test_loud_speech_opens_wider_than_soft_speech() -> None:
    phones = filled(
        (Phone(start=0.4, end=0.7, symbol="AA"), Phone(start=1.3, end=1.6, symbol="AA")), SECONDS
    )
    samples = tone(SECONDS)
    samples[: len(samples) // 2] *= 0.1
    jaw = mouth_curves(phones, samples, FRAMES)[:, ARKIT.index("jawOpen")]
    assert jaw[25:].max() > 1.2 * jaw[:25].max()


def test_diphthongs_move_from_one_vowel_to_the_other() -> None:
    curves, phones = curves_of("AW", seconds=0.4)
    begin, end = frame_of(phones, "AW") - 2, frame_of(phones, "AW") + 3
    jaw, pucker = ARKIT.index("jawOpen"), ARKIT.index("mouthPucker")
    assert curves[begin, jaw] > curves[end, jaw]
    assert curves[begin, pucker] < curves[end, pucker]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("AH0", "AH"), ("pau", "SIL"), ("+NSN+", "SIL"), ("ax", "AX"), ("zh", "ZH"), ("??", "AX")],
)
def test_arpabet_names_are_read_without_stress(name: str, symbol: str) -> None:
    assert symbol_of_arpabet(name) == symbol


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("ˈeɪ", "EY"), ("", "SIL"), ("tʃ", "CH"), ("ɑː", "AA"), ("m", "M"), ("ʁ", "HH"), ("y", "UW")],
)
def test_phonetic_letters_get_the_symbol_that_looks_alike(name: str, symbol: str) -> None:
    assert symbol_of_ipa(name) == symbol
    assert symbol in SYMBOLS


def test_filled_phones_cover_the_clip_without_overlap() -> None:
    phones = filled(
        (
            Phone(start=0.5, end=0.9, symbol="AA"),
            Phone(start=0.8, end=1.0, symbol="S"),
            Phone(start=1.9, end=2.5, symbol="IY"),
        ),
        SECONDS,
    )
    assert phones[0].start == 0
    assert phones[-1].end == SECONDS
    assert all(a.end == b.start for a, b in itertools.pairwise(phones))
    assert [p.symbol for p in phones] == ["SIL", "AA", "S", "SIL", "IY"]
