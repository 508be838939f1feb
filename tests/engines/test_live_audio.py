from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import InputError
from engines.live_audio import SeatAudio


def ramp(count: int, first: int = 0) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (np.arange(first, first + count) / 1e5).astype(np.float32)
    return values


def test_samples_come_out_in_order_whatever_the_blocks() -> None:
    seat, first = SeatAudio(), 0
    for size in (1, 7, 640, 0, 3, 1000):
        seat.push(ramp(size, first))
        first += size
    taken = [seat.take(size) for size in (5, 600, 1046)]
    assert (np.concatenate([each.samples for each in taken]) == ramp(first)).all()
    assert [each.missing for each in taken] == [0, 0, 0]
    assert seat.queued == 0


def test_what_is_missing_is_silence_at_the_end() -> None:
    seat = SeatAudio()
    seat.push(ramp(10, 1))
    taken = seat.take(16)
    assert taken.missing == 6
    assert (taken.samples == np.concatenate([ramp(10, 1), np.zeros(6)])).all()


def test_clearing_drops_all_and_counts_it() -> None:
    seat = SeatAudio()
    seat.push(ramp(100))
    seat.take(30)
    assert seat.clear() == 70
    assert seat.take(10).missing == 10


def test_a_pushed_block_is_the_callers_to_reuse() -> None:
    seat, block = SeatAudio(), ramp(10, 1)
    seat.push(block)
    block[:] = 0
    assert seat.take(10).samples.all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 9.0, -32768.0])
def test_samples_that_are_no_audio_are_refused_whole(bad: float) -> None:
    seat, block = SeatAudio(), ramp(10)
    block[3] = bad
    with pytest.raises(InputError, match="full scale is 1"):
        seat.push(block)
    assert seat.queued == 0


@pytest.mark.parametrize(
    ("block", "named"),
    [
        (np.zeros(10), "float64"),
        (np.zeros(10, np.int16), "int16"),
        (np.zeros((2, 10), np.float32), r"float32\[2, 10\]"),
        ([0.0, 0.1], "list"),
    ],
)
def test_other_types_and_shapes_are_refused(block: NDArray[np.float32], named: str) -> None:
    with pytest.raises(InputError, match=f"must be mono float32 .* got {named}"):
        SeatAudio().push(block)


@pytest.mark.parametrize("rate", [8000, 24000, 48000, 0])
def test_other_rates_are_refused(rate: int) -> None:
    with pytest.raises(InputError, match=f"must be at 16000 Hz, got {rate}"):
        SeatAudio().push(ramp(10), rate)


def test_a_full_queue_refuses_and_keeps_what_it_has() -> None:
    seat = SeatAudio(most_seconds=1)
    seat.push(ramp(16000))
    with pytest.raises(InputError, match=r"1.0 s are queued and 1 s is the limit"):
        seat.push(ramp(1))
    assert seat.queued == 16000
