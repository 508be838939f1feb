"""Counting one stream: frames, freezes, losses, jitter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.bench.load_packets import StreamCount, StreamLook

CLOCK_HZ = 90_000
FRAME = 3600  # 25 a second


def play(
    count: StreamCount, times: list[float], *, sequence: int = 100, timestamp: int = 7
) -> None:
    """Two packets for each frame, at these times."""
    for n, now in enumerate(times):
        stamp = (timestamp + n * FRAME) % 2**32
        for half in range(2):
            number = (sequence + 2 * n + half) % 2**16
            count.take(number, stamp, half == 1, 500, now)


def steady(frames: int, begin: float = 0.0) -> list[float]:
    return [begin + n / 25 for n in range(frames)]


def test_frames_are_counted_and_not_packets() -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, steady(25))
    look = count.look(1.0)
    assert (look.frames, look.packets, look.payload_bytes) == (25, 50, 25_000)
    assert (look.lost, look.freezes) == (0, 0)
    assert look.jitter_s == pytest.approx(0, abs=1e-9)


def test_a_look_begins_anew() -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, steady(5))
    count.look(0.2)
    assert replace(count.look(0.21), jitter_s=0.0) == StreamLook()


@pytest.mark.parametrize(("sequence", "timestamp"), [(65_530, 7), (100, 2**32 - 5 * FRAME)])
def test_numbers_that_wrap_are_no_loss(sequence: int, timestamp: int) -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, steady(25), sequence=sequence, timestamp=timestamp)
    look = count.look(1.0)
    assert (look.frames, look.lost, look.freezes) == (25, 0, 0)


def test_a_packet_that_never_comes_is_lost_and_one_sent_again_is_not() -> None:
    count = StreamCount(CLOCK_HZ)
    for number in (1, 2, 5, 6):
        count.take(number, number * FRAME, True, 100, number / 25)
    assert count.look(0.3).lost == 2
    count.take(3, 3 * FRAME, True, 100, 0.31)
    count.take(7, 7 * FRAME, True, 100, 0.32)
    assert count.look(0.4).lost == 0
    count.take(9, 9 * FRAME, True, 100, 0.4)
    assert count.look(0.5).lost == 1


def test_a_late_packet_of_an_older_frame_is_no_frame() -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, steady(3))
    count.take(101, 7, True, 500, 0.1)
    assert count.look(0.2).frames == 3


def test_a_gap_over_200_ms_is_a_freeze_and_one_below_is_none() -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, [0.0, 0.04, 0.23, 0.27, 0.6])
    look = count.look(0.62)
    assert look.freezes == 1
    assert look.frozen_s == pytest.approx(0.33)
    assert look.longest_gap_s == pytest.approx(0.33)


def test_a_freeze_over_several_looks_is_one_freeze() -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, [0.0, 0.04])
    looks = [count.look(now) for now in (0.1, 0.5, 1.0)]
    count.take(104, 7 + 3 * FRAME, True, 500, 1.2)
    looks.append(count.look(1.25))
    assert [look.freezes for look in looks] == [0, 1, 0, 0]
    assert sum(look.frozen_s for look in looks) == pytest.approx(1.2 - 0.04)


def test_frames_that_come_unevenly_show_as_jitter() -> None:
    count = StreamCount(CLOCK_HZ)
    play(count, [n / 25 + 0.01 * (n % 2) for n in range(200)])
    assert count.look(8.0).jitter_s == pytest.approx(0.01, rel=0.05)


def test_the_first_frame_is_there_when_its_last_packet_is() -> None:
    count = StreamCount(CLOCK_HZ)
    count.take(1, 0, False, 100, 1.0)
    assert (count.first_packet_at, count.first_frame_at) == (1.0, None)
    count.take(2, 0, True, 100, 1.05)
    assert count.first_frame_at == 1.05
