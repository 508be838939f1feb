from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.media.clock import MediaClock
from streamer.media.types import SAMPLE_RATE


class FakeClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_room_time_counts_samples_from_the_start() -> None:
    now = FakeClock()
    clock = MediaClock(now)
    assert (clock.is_running, clock.samples) == (False, 0)
    clock.start(after=0.5)
    assert (clock.is_running, clock.samples) == (True, -SAMPLE_RATE // 2)
    now.time += 0.5 + 3.04
    assert (clock.samples, clock.frames) == (48640, 76)


@given(frame=st.integers(0, 25 * 3600 * 24 * 7))
def test_a_frame_is_on_at_the_moment_it_is_due(frame: int) -> None:
    now = FakeClock()
    clock = MediaClock(now)
    clock.start()
    assert clock.wait(frame) == pytest.approx(frame / 25)
    now.time = clock.due(frame)
    assert clock.frames == frame
    assert clock.wait(frame) == clock.lateness(frame) == 0
    now.time += 1
    assert clock.lateness(frame) == pytest.approx(1)


def test_due_times_do_not_drift_over_days() -> None:
    clock = MediaClock(FakeClock())
    clock.start()
    hours = 8 * 3600
    assert clock.due(25 * hours) - clock.due(0) == pytest.approx(hours, abs=1e-6)
