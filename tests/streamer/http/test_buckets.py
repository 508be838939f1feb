"""Token buckets with a clock of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.http.buckets import Bucket, BucketTable, Rate

RATE = Rate(per_second=2.0, burst=5)


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_a_burst_passes_and_the_next_one_waits_for_a_token() -> None:
    table = BucketTable(RATE, Clock())
    assert [table.take("a") for _ in range(5)] == [0.0] * 5
    assert table.take("a") == pytest.approx(0.5)
    assert table.refused == 1


def test_tokens_come_back_with_time() -> None:
    clock = Clock()
    table = BucketTable(RATE, clock)
    for _ in range(5):
        table.take("a")
    clock.time += 1.0
    assert [table.take("a") for _ in range(2)] == [0.0, 0.0]
    assert table.take("a") > 0


def test_one_key_does_not_slow_another() -> None:
    table = BucketTable(RATE, Clock())
    for _ in range(9):
        table.take("a")
    assert table.take("b") == 0.0


def test_a_table_forgets_who_asked_longest_ago() -> None:
    table = BucketTable(RATE, Clock(), most_keys=3)
    for key in "abcad":
        table.take(key)
    assert len(table) == 3
    for _ in range(3):
        assert table.take("a") == 0.0  # a asked twice before: it was kept
    assert table.take("a") > 0


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 5)), max_size=60))
def test_never_more_than_the_burst_and_what_was_refilled(steps: list[tuple[float, float]]) -> None:
    bucket, at, taken = Bucket.full(RATE, 0.0), 0.0, 0.0
    for pause, amount in steps:
        at += pause
        wait = bucket.take(at, amount)
        taken += amount if wait == 0 else 0
        assert taken <= RATE.burst + RATE.per_second * at + 1e-6
        if wait:
            assert Bucket(RATE, bucket.tokens, bucket.at).take(at + wait + 1e-6, amount) == 0


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    bucket = Bucket.full(RATE, 10.0)
    for _ in range(5):
        bucket.take(10.0)
    assert bucket.take(5.0) > 0
    assert bucket.take(10.0) > 0


@pytest.mark.parametrize(("per_second", "burst"), [(0.0, 5), (-1.0, 5), (1.0, 0.5)])
def test_a_rate_that_lets_nobody_in_is_refused(per_second: float, burst: float) -> None:
    with pytest.raises(ValueError, match="per_second > 0 and burst >= 1"):
        Rate(per_second=per_second, burst=burst)
