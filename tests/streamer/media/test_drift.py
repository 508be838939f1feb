from __future__ import annotations

import numpy as np
import pytest

from streamer.media.drift import MOST_PPM, DriftEstimator
from streamer.media.jitter import JitterBuffer
from streamer.media.live_voice import LiveVoice
from streamer.media.resampling import Resampler
from streamer.media.types import WIRE_RATE
from tests.streamer.media.simulated_link import BASE_DELAY, PACKET, Link

HOURS = 8


@pytest.mark.parametrize("ppm", [100.0, -100.0, 250.0, 0.0])
def test_after_eight_hours_of_drift_sound_is_within_a_few_milliseconds_of_its_place(
    ppm: float,
) -> None:
    rng = np.random.default_rng(1)
    drift, heard, worst = DriftEstimator(), 0.0, 0.0
    speeds = []
    for second in range(HOURS * 3600):  # one packet a second stands for fifty
        now = float(second)
        said = now * (1 + ppm * 1e-6)  # seconds of the sender's clock
        drift.add(now + BASE_DELAY + rng.exponential(0.004), round(said * WIRE_RATE))
        speed = drift.speed(said - heard)
        if second > 600:
            worst = max(worst, abs(said - heard))
        heard += speed
        speeds.append(speed)
    assert worst < 0.012
    assert drift.ppm == pytest.approx(ppm, abs=3)
    assert max(abs(s - 1) for s in speeds) <= MOST_PPM * 1.001e-6


def test_a_moment_held_up_on_its_way_does_not_bend_the_line() -> None:
    drift = DriftEstimator()
    for n in range(1500):
        now = n * 0.2
        held = 0.2 if 100 < now < 150 else 0.0
        drift.add(now + held, round(now * (1 + 80e-6) * WIRE_RATE))
    assert drift.ppm == pytest.approx(80, abs=15)


def test_what_is_no_drift_is_not_followed_without_bounds() -> None:
    drift = DriftEstimator()
    for n in range(1000):
        drift.add(n * 0.1, round(n * 0.1 * 1.01 * WIRE_RATE))
    assert drift.ppm == MOST_PPM
    assert drift.speed(10.0) == pytest.approx(1 + MOST_PPM * 1e-6)


def test_a_drifting_voice_needs_no_cut_and_keeps_its_delay() -> None:
    ppm = 300.0
    signal = np.full(PACKET * 50 * 60, 0.1, np.float32)
    link = Link(signal=signal, sender_ppm=ppm)
    buffer, drift, resampler = JitterBuffer(link.decode), DriftEstimator(), Resampler(48000, 16000)
    waiting, owed, made = link.arrivals()[::-1], 0.0, 0
    behind: list[float] = []
    for tick in range(1, 59 * 50):
        now = tick * 0.02
        while waiting and waiting[-1][0] <= now:
            arrival, packet = waiting.pop()
            timestamp = buffer.add(packet, arrival)
            assert timestamp is not None
            drift.add(arrival, timestamp)
        speed = drift.speed(behind[-1] if behind else 0.0)
        resampler.set_speed(speed)
        owed += 960 * speed
        made += len(resampler.process(buffer.read(int(owed), now)))
        owed -= int(owed)
        behind.append(buffer.behind(now))
        if tick == 40 * 50:
            cut = buffer.counts.removed_samples + buffer.counts.inserted_samples
    assert drift.ppm == pytest.approx(ppm, abs=10)
    assert buffer.counts.removed_samples + buffer.counts.inserted_samples == cut
    assert abs(behind[-1]) < 0.013
    assert made == pytest.approx(58.98 * 16000, abs=60)


def test_a_second_of_our_time_gives_sixteen_thousand_samples_of_any_sender() -> None:
    voice = LiveVoice(100.0)
    made = sum(len(voice.read(100.0 + n * 0.02).samples) for n in range(1, 501))
    assert made == pytest.approx(160_000, abs=40)
