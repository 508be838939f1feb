from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.media.jitter import JitterBuffer, RtpAudio
from streamer.media.playout_delay import DelayConfig
from streamer.media.types import Samples
from tests.streamer.fuzzing import budget
from tests.streamer.media.simulated_link import BASE_DELAY, PACKET, Link, delay_at, speech_like

CLEAN = BASE_DELAY + 0.02 + 0.015  # path, one packet, least delay with its margin


def test_a_clean_link_gives_the_same_samples_and_keeps_forty_milliseconds_at_first() -> None:
    link = Link(signal=speech_like(0.4))
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    late = round((BASE_DELAY + 0.02 + 0.04) * 48000)
    assert np.allclose(heard[late + 300 :], link.signal[300:-late], atol=1e-6)
    assert buffer.counts.concealed_samples == buffer.counts.lost == 0


def test_without_jitter_the_delay_falls_to_its_least() -> None:
    link = Link(signal=speech_like(4.0))
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    assert delay_at(link.signal, heard, 3.5) <= CLEAN + 0.012
    assert buffer.counts.removed_samples > 0


def test_one_lost_packet_costs_twenty_milliseconds_of_sound_and_no_delay() -> None:
    link = Link(signal=speech_like(6.0), transit=lambda n: None if n == 150 else BASE_DELAY)
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    assert (buffer.counts.lost, buffer.counts.concealed_samples) == (1, PACKET)
    assert delay_at(link.signal, heard, 5.5) == delay_at(link.signal, heard, 2.5)


@pytest.mark.parametrize("is_delayed", [False, True], ids=["lost", "held up and let go at once"])
def test_an_outage_of_two_seconds_leaves_no_delay(is_delayed: bool) -> None:
    def transit(number: int) -> float | None:
        end = 5.0
        sent = (number + 1) * 0.02
        if 3.0 <= sent < end:
            return end - sent + BASE_DELAY + number * 1e-5 if is_delayed else None
        return BASE_DELAY

    link = Link(signal=speech_like(10.0), transit=transit)
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    before = delay_at(link.signal, heard, 2.5)
    assert delay_at(link.signal, heard, 5.5) <= before + 0.03
    assert delay_at(link.signal, heard, 9.5) <= before + 0.012
    silence = heard[round(3.8 * 48000) : round(4.8 * 48000)]
    assert np.abs(silence).max() == 0


def test_jitter_loss_and_reordering_are_waited_for_and_then_forgotten() -> None:
    rng = np.random.default_rng(5)

    def transit(number: int) -> float | None:
        is_bad = 2.0 < number * 0.02 < 8.0
        if is_bad and rng.random() < 0.05:
            return None
        return BASE_DELAY + (rng.uniform(0, 0.05) if is_bad else 0.0)

    link = Link(signal=speech_like(14.0), transit=transit)
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    assert delay_at(link.signal, heard, 1.7) <= CLEAN + 0.03
    assert delay_at(link.signal, heard, 7.5) <= CLEAN + 0.05 + 0.02
    assert delay_at(link.signal, heard, 13.0) <= CLEAN + 0.012  # 5 s later
    assert buffer.counts.lost == pytest.approx(15, abs=12)
    # Of what did arrive nearly all is heard.
    assert buffer.counts.concealed_samples < (buffer.counts.lost + 12) * PACKET


def test_a_path_that_becomes_longer_for_good_is_followed() -> None:
    link = Link(
        signal=speech_like(12.0), transit=lambda n: BASE_DELAY + (0.5 if n * 0.02 > 3 else 0.0)
    )
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    assert delay_at(link.signal, heard, 11.0, most=1.5) <= CLEAN + 0.5 + 0.03


def test_a_mute_is_silence_and_no_loss() -> None:
    link = Link(signal=speech_like(4.0), skipped=set(range(100, 125)))
    buffer = JitterBuffer(link.decode)
    heard = link.play(buffer)
    assert buffer.counts.lost == 0
    assert np.abs(heard[round(2.25 * 48000) : round(2.45 * 48000)]).max() == 0
    assert delay_at(link.signal, heard, 3.0) <= CLEAN + 0.02


def test_a_new_stream_begins_anew_and_stragglers_of_the_old_are_dropped() -> None:
    link = Link(signal=speech_like(2.0))
    buffer = JitterBuffer(link.decode)
    link.play(buffer)
    restarted = [RtpAudio(n, 77 + n * PACKET, 99, n.to_bytes(4, "big")) for n in range(50)]
    old = RtpAudio(5, 5, 1234, b"\0\0\0\0")
    heard = []
    for n, packet in enumerate(restarted):
        now = 3.0 + n * 0.02
        buffer.add(packet, now)
        buffer.add(old, now)
        heard.append(buffer.read(PACKET, now))
    assert buffer.counts.restarts == 1
    assert delay_at(link.signal, np.concatenate(heard), 0.6) < 0.07


@pytest.mark.parametrize("jump", [1 << 31, 48000 * 60, -48000 * 60])
def test_a_timestamp_that_jumps_is_a_new_beginning(jump: int) -> None:
    link = Link(signal=speech_like(4.0))
    buffer = JitterBuffer(link.decode)
    out = []
    for n in range(200):
        now = 0.1 + n * 0.02
        moved = n * PACKET + (jump if n >= 100 else 0)
        sequence = n + (30000 if n >= 100 else 0)
        packet = RtpAudio(sequence & 0xFFFF, moved & 0xFFFFFFFF, 1, n.to_bytes(4, "big"))
        buffer.add(packet, now)
        out.append(buffer.read(PACKET, now))
    assert delay_at(link.signal, np.concatenate(out), 3.5) < 0.09


def test_concealment_joins_without_a_click() -> None:
    lost = {60, 90, 91, 130, 131, 132, 133}
    link = Link(signal=speech_like(4.0), transit=lambda n: None if n in lost else BASE_DELAY)
    heard = link.play(JitterBuffer(link.decode))
    steepest = np.abs(np.diff(link.signal)).max()
    assert np.abs(np.diff(heard)).max() < 1.6 * steepest


def test_the_first_sound_waits_for_the_first_packet() -> None:
    buffer = JitterBuffer(lambda _: np.ones(PACKET, np.float32))
    assert not buffer.read(500, 1.0).any()
    buffer.add(RtpAudio(0, 0, 1, b"x"), 1.01)
    assert not buffer.read(500, 1.02).any()


def test_it_never_holds_more_than_five_seconds_of_packets() -> None:
    buffer = JitterBuffer(lambda _: np.zeros(PACKET, np.float32))
    for n in range(2000):
        buffer.add(RtpAudio(n, n * 120, 1, b"x"), 1.0 + n * 1e-4)
    assert buffer.counts.overflow == 2000 - 250


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="least <= start"):
        DelayConfig(start=0.3)


packets = st.builds(
    RtpAudio,
    sequence=st.one_of(st.integers(0, 65535), st.integers(0, 40)),
    timestamp=st.one_of(st.integers(0, (1 << 32) - 1), st.integers(0, 40).map(lambda n: n * 960)),
    ssrc=st.sampled_from([1, 1, 1, 2]),
    payload=st.binary(max_size=4),
)


@budget(200)
@given(
    events=st.lists(st.tuples(packets, st.floats(0, 0.5), st.integers(0, 3000)), max_size=60),
)
def test_whatever_arrives_the_sound_goes_on(events: list[tuple[RtpAudio, float, int]]) -> None:
    def decode(payload: bytes) -> Samples:
        size = [0, 120, 960, 5760, 480][len(payload)]
        return np.full(size, 0.1, np.float32)

    buffer, now = JitterBuffer(decode), 10.0
    for packet, step, count in events:
        now += step
        buffer.add(packet, now)
        heard = buffer.read(count, now)
        assert len(heard) == count
        assert np.isfinite(heard).all()
        assert np.abs(heard).max(initial=0) <= 1


@budget(30)
@given(seed=st.integers(0, 2**16), loss=st.floats(0, 0.3), jitter=st.floats(0, 0.12))
def test_the_delay_is_bounded_on_any_link(seed: int, loss: float, jitter: float) -> None:
    rng = np.random.default_rng(seed)
    link = Link(
        signal=np.full(48000 * 5, 0.1, np.float32),
        transit=lambda _: None if rng.random() < loss else BASE_DELAY + rng.uniform(0, jitter),
    )
    buffer = JitterBuffer(link.decode)
    link.play(buffer)
    assert 0.01 <= buffer.target_delay <= 0.2
    assert abs(buffer.behind(5.0)) < 0.15
    counts = buffer.counts
    assert counts.received <= 250
    assert counts.duplicate == counts.restarts == 0


def test_every_wrap_of_the_counters_is_crossed() -> None:
    ends = itertools.product((65530, 0, 32760), ((1 << 32) - 5000, 0, (1 << 31) - 5000))
    for sequence, timestamp in ends:
        link = Link(signal=speech_like(0.5), first_sequence=sequence, first_timestamp=timestamp)
        buffer = JitterBuffer(link.decode)
        link.play(buffer)
        assert buffer.counts.lost == buffer.counts.late == buffer.counts.restarts == 0
