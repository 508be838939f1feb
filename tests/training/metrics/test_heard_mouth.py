from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from training.metrics.heard_mouth import PhoneRecognizer, opening_heard, pieces
from training.studio.performance_data import SAMPLE_RATE, Phone

LOUD = np.full(2 * SAMPLE_RATE, 0.3, np.float32)


def test_the_mouth_is_open_at_vowels_and_closed_at_bilabials_and_in_silence() -> None:
    phones = [
        Phone(start=0.4, end=0.8, symbol="AA"),
        Phone(start=0.8, end=1.0, symbol="B"),
        Phone(start=1.0, end=1.4, symbol="IY"),
    ]
    opening = opening_heard(phones, LOUD, 50, 25.0)
    assert opening[15] == pytest.approx(1, abs=0.05)
    assert opening[22] == pytest.approx(0, abs=0.05)
    assert 0.1 < opening[30] < 0.4
    assert opening[:7].max() == pytest.approx(0, abs=0.05)


def test_quiet_speech_opens_less() -> None:
    samples = LOUD.copy()
    samples[:SAMPLE_RATE] *= 0.1
    phones = [Phone(start=0.0, end=2.0, symbol="AA")]
    opening = opening_heard(phones, samples, 50, 25.0)
    assert opening[10] < 0.6 < 0.95 < opening[40]


def test_silence_leaves_the_mouth_closed() -> None:
    assert opening_heard([], np.zeros(0, np.float32), 50, 25.0).tolist() == [0.0] * 50


def test_speech_is_heard_in_pieces_that_never_overlap_or_grow_too_long() -> None:
    found = pieces([(0.05, 1.0), (1.2, 2.0), (10.0, 55.0)], 50.0)
    assert found[0] == (0.0, 2.15)
    assert len(found) == 4
    assert all(end - start <= 20 for start, end in found)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert found[-1][1] == 50.0


def test_the_recognizer_hears_nothing_in_silence() -> None:
    assert PhoneRecognizer().hear(np.zeros(SAMPLE_RATE, np.float32), []) == ()


def test_the_recognizer_reports_only_sounds_inside_the_speech() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE).astype(np.float32)
    phones = PhoneRecognizer().hear(noise, [(1.0, 2.0)])
    assert all(0.8 <= phone.start < phone.end <= 2.2 for phone in phones)
