from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamer.media.mixing import KNEE, Mix, mix_minus, soft_limit


@given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-8, 8, width=32)))
def test_the_limiter_keeps_below_full_scale_order_and_sign(samples: np.ndarray) -> None:
    limited = soft_limit(samples)
    assert np.abs(limited).max() <= 1
    quiet = np.abs(samples) <= KNEE
    assert np.array_equal(limited[quiet], samples[quiet])
    order = np.argsort(samples, kind="stable")
    assert (np.diff(limited[order]) >= 0).all()


def test_a_viewer_hears_every_seat_but_their_own() -> None:
    voices = np.stack([np.full(640, level, np.float32) for level in (0.1, 0.2, 0.3)])
    assert np.allclose(mix_minus(voices), 0.6)
    assert np.allclose(mix_minus(voices, without={1}), 0.4)
    assert not mix_minus(voices, without={0, 1, 2}).any()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=6))
def test_every_block_gives_three_times_its_samples(sizes: list[int]) -> None:
    mix = Mix()
    for size in sizes:
        made = mix.process(np.zeros((2, size), np.float32))
        assert len(made) == 3 * size


def test_a_mix_is_late_by_a_millisecond_and_otherwise_the_sum() -> None:
    t = np.arange(6400) / 16000
    voices = np.stack([0.2 * np.sin(2 * np.pi * hz * t) for hz in (300, 500)]).astype(np.float32)
    mix = Mix(without=[0])
    made = np.concatenate([mix.process(block) for block in np.split(voices, 10, axis=1)])
    t48 = np.arange(19200) / 48000
    wanted = 0.2 * np.sin(2 * np.pi * 500 * t48)
    late = 48
    assert np.abs(made[late + 500 :] - wanted[500:-late]).max() < 1e-3
