from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.media.resampling import Resampler, Upsampler
from streamer.media.types import Samples


def sine(rate: int, hz: float, seconds: float) -> Samples:
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def in_blocks(resampler: Resampler, samples: Samples, sizes: list[int]) -> Samples:
    out: list[Samples] = []
    at = 0
    while at < len(samples):
        size = sizes[len(out) % len(sizes)]
        out.append(resampler.process(samples[at : at + size]))
        at += size
    return np.concatenate(out)


@pytest.mark.parametrize(
    ("from_rate", "to_rate"),
    [(48000, 16000), (16000, 48000), (8000, 16000), (24000, 16000), (44100, 16000), (32000, 16000)],
)
def test_a_tone_stays_itself_at_its_own_time(from_rate: int, to_rate: int) -> None:
    made = Resampler(from_rate, to_rate).process(sine(from_rate, 440, 1.0))
    wanted = sine(to_rate, 440, 1.0)[: len(made)]
    edge = to_rate // 100
    assert len(made) > 0.99 * to_rate
    assert np.abs(made - wanted)[edge:].max() < 2e-4


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    alias = Resampler(48000, 16000).process(sine(48000, 10_000, 0.5))
    assert np.abs(alias[200:]).max() < 1e-3


def test_the_delay_is_one_millisecond_and_as_said() -> None:
    resampler = Resampler(48000, 16000)
    made = resampler.process(np.zeros(48000, np.float32))
    assert 16000 - len(made) == pytest.approx(resampler.delay * 16000, abs=1.5)
    assert resampler.delay < 0.0015


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=8))
def test_stream_equals_whole(sizes: list[int]) -> None:
    noise = np.random.default_rng(3).normal(0, 0.2, 9600).astype(np.float32)
    whole = Resampler(48000, 16000).process(noise)
    parts = in_blocks(Resampler(48000, 16000), noise, sizes)
    assert len(whole) == len(parts)
    assert np.abs(whole - parts).max() < 1e-5


def test_a_speed_of_300_ppm_is_kept_to_the_sample_and_clicks_nowhere() -> None:
    resampler = Resampler(48000, 16000)
    resampler.set_speed(1 + 300e-6)
    made = in_blocks(resampler, sine(48000, 300, 20.0), [960])
    assert len(made) == pytest.approx(20 * 16000 / (1 + 300e-6), abs=20)
    steps = np.abs(np.diff(made[200:]))
    assert steps.max() < 0.5 * 2 * np.pi * 301 / 16000 * 1.01


def test_one_rate_passes_through() -> None:
    noise = np.random.default_rng(4).normal(0, 0.2, 100).astype(np.float32)
    assert np.array_equal(Resampler(16000, 16000).process(noise), noise)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(0, 16000)
    with pytest.raises(ValueError, match="1 %"):
        Resampler(16000, 16000).set_speed(1.1)


@given(blocks=st.lists(st.integers(0, 700), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_whole_multiple_of_the_rate_gives_the_same_with_less_work(blocks: list[int]) -> None:
    signal = np.random.default_rng(0).normal(0, 0.2, sum(blocks)).astype(np.float32)
    quick, general = Upsampler(16_000, 3), Resampler(16_000, 48_000)
    assert quick.delay == general.delay
    pieces = np.split(signal, np.cumsum(blocks)[:-1])
    made = np.concatenate([quick.process(piece) for piece in pieces])
    wanted = np.concatenate([general.process(piece) for piece in pieces])
    count = min(len(made), len(wanted))
    assert abs(len(made) - len(wanted)) <= 3
    np.testing.assert_allclose(made[:count], wanted[:count], atol=1e-4)
