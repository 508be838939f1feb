"""Lips and sound at a viewer, and the way from the microphone, while the speaker's clock drifts.

The whole chain runs: Opus over SRTP, jitter buffer and drift correction, the room's clock, the null
generator, VP8 and Opus once more, SRTP, a viewer. Only time is virtual.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import pytest

from streamer.media.opus import PACKET_SAMPLES, TIME_BASE, OpusEncoder
from streamer.media.types import Samples
from streamer.webrtc.tracks import Packet, packet
from tests.streamer.interop.onsets import differences
from tests.streamer.interop.whole import Whole, whole_server
from tests.streamer.webrtc.stand_ins import Client, Microphone, onsets
from tests.streamer.webrtc.virtual_time import now, run

ROUND = 20  # seconds, after which the voice says the same again
MOST_SKEW = 0.04  # seconds
HOURS = float(os.environ.get("PARLEY_DRIFT_HOURS", "8"))
PPM = 100.0
KEPT = 40.0  # seconds of what a viewer saw that are looked at, each time
CUTS = tuple(f'parley_voice_jitter_total{{what="{x}_samples"}}' for x in ("inserted", "removed"))


class DriftingMicrophone(Microphone):
    """Says a signal over and over, by a clock that is fast by so many parts in a million.

    It is encoded before, so that hours of it cost no encoder.
    """

    def __init__(self, signal: Samples, ppm: float) -> None:
        super().__init__(signal)
        self._rate = 48_000 * (1 + ppm * 1e-6)
        twice = OpusEncoder().encode(np.concatenate([signal, signal]))
        self._payloads = twice[len(twice) // 2 :]  # so that its end goes on in its beginning

    async def recv(self) -> Packet:  # type: ignore[override]  # aiortc sends packets as they are
        if self.began is None:
            self.began = now()
        due = self.began + (self._at + PACKET_SAMPLES) / self._rate
        await asyncio.sleep(max(0.0, due - now()))
        payload = self._payloads[self._at // PACKET_SAMPLES % len(self._payloads)]
        made = packet(payload, self._at, TIME_BASE)
        self._at += PACKET_SAMPLES
        return made

    def said(self, second: float) -> float:
        """When a second of the signal was said for the first time."""
        assert self.began is not None
        return self.began + second * 48_000 / self._rate

    @property
    def round(self) -> float:
        """Seconds of a round, by our clock."""
        return ROUND * 48_000 / self._rate


def voice(seed: int = 0) -> tuple[Samples, list[float]]:
    """Bursts of a tone at moments without a pattern; the signal at 48 kHz, and the moments."""
    chance = np.random.default_rng(seed)
    begins = np.cumsum(chance.uniform(0.8, 1.2, round(ROUND / 1.2)))
    times = np.arange(ROUND * 48_000) / 48_000
    is_loud = sum((times >= at) & (times < at + 0.35) for at in begins)
    signal = 0.3 * np.sin(2 * np.pi * 220 * times) * is_loud
    return np.asarray(signal, np.float32), [float(at) for at in begins]


@dataclass(frozen=True)
class Look:
    """What a viewer saw and heard for a while, in seconds."""

    skews: list[float]  # by how much each sound was later than its lips
    late: float  # by how much sound was later than the microphone

    @property
    def skew(self) -> float:
        return median(self.skews)


@dataclass
class Talk:
    """A voice that was followed for long."""

    looks: list[Look] = field(default_factory=list)
    cut_samples: float = 0.0  # that the jitter buffer took out or put in after the second look

    @property
    def skew(self) -> float:
        """The worst of all looks."""
        return max((each.skew for each in self.looks), key=abs)

    @property
    def moved(self) -> float:
        """By how much the way from the microphone differed at most from what it was at first."""
        return max(abs(each.late - self.looks[0].late) for each in self.looks)

    def __str__(self) -> str:
        return (
            f"{len(self.looks)} looks; lips to sound {self.looks[0].skew * 1000:+.0f} ms at first, "
            f"{self.looks[-1].skew * 1000:+.0f} at last, {self.skew * 1000:+.0f} at worst; "
            f"microphone to sound {self.looks[0].late * 1000:.0f} ms at first, "
            f"{self.looks[-1].late * 1000:.0f} at last, {self.moved * 1000:.0f} away at worst; "
            f"{self.cut_samples / 48:.0f} ms of sound cut"
        )


def look(viewer: Client, microphone: DriftingMicrophone, begins: list[float]) -> Look:
    levels = [
        (at + n * 0.002, float(level))
        for at, samples in viewer.sound()
        for n, level in enumerate(np.sqrt(np.mean(samples.reshape(-1, 96) ** 2, axis=1)))
    ]
    heard = first_of_each(onsets(levels, 0.05))
    seen = first_of_each(onsets(viewer.openings(0, 2), 0.3))
    rounds = range(int((now() - microphone.said(0)) // microphone.round) + 1)
    said = [microphone.said(at) + n * microphone.round for n in rounds[-5:] for at in begins]
    skews = differences(seen, heard, 0.3)
    assert len(skews) > 0.8 * len(seen) > 3
    return Look(skews, lateness(heard, said))


def lateness(heard: list[float], said: list[float]) -> float:
    """By how much all that is heard is later than what was said: the pattern tells, up to 20 s."""
    gaps = np.sort([b - a for a in said for b in heard if 0 <= b - a < ROUND])
    alike = np.searchsorted(gaps, gaps + 0.03) - np.arange(len(gaps))
    best = int(np.argmax(alike))
    assert alike[best] > 0.8 * len(heard)
    return float(np.median(gaps[best : best + alike[best]]))


def first_of_each(moments: list[float]) -> list[float]:
    """Leave out what follows another moment at once: a burst counts once."""
    kept: list[float] = []
    for at in moments:
        if not kept or at - kept[-1] > 0.5:
            kept.append(at)
    return kept


async def cut_samples(server: Whole) -> float:
    """How many samples the jitter buffer took out or put in so far."""
    lines = (await server.http.get("/metrics")).text.splitlines()
    found = [line for line in lines if line.startswith(CUTS)]
    assert len(found) == len(CUTS)
    return sum(float(line.rpartition(" ")[2]) for line in found)


async def talk_for(seconds: float, ppm: float, looks: int) -> Talk:
    """Talk into a room, and look at it at first, at last and in between."""
    signal, begins = voice()
    microphone = DriftingMicrophone(signal, ppm)
    speaker, viewer = Client(microphone), Client(watches=True)
    made, cuts = Talk(), []
    async with whole_server(limits={"room_seconds": 86_400}) as server:
        room = await server.open_room()
        await server.call(viewer, f"/rooms/{room}/whep")
        await server.call(speaker, f"/rooms/{room}/seats/0/whip")
        await asyncio.sleep(10.0)
        began = now()
        for number in range(looks):
            await asyncio.sleep(began + number * (seconds - KEPT) / (looks - 1) - now())
            cuts.append(await cut_samples(server))
            for kept in viewer.packets.values():
                kept.clear()
            server.built.services.registry.get(room)._show.viewers[0].ask_for_keyframe()
            await asyncio.sleep(KEPT)
            made.looks.append(look(viewer, microphone, begins))
        made.cut_samples = await cut_samples(server) - cuts[1]
        await speaker.pc.close()
        await viewer.pc.close()
    return made


def check(made: Talk) -> str:
    assert abs(made.skew) <= MOST_SKEW
    assert made.moved <= MOST_SKEW
    return str(made)


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_minutes_of_a_drifting_clock_change_nothing_and_cut_nothing(
    ppm: float, figure: Callable[[str], None]
) -> None:
    made = run(lambda: talk_for(240.0, ppm, 4))
    figure(check(made))
    assert made.cut_samples == 0  # the voice is resampled; nothing of it is left out or repeated


@pytest.mark.soak
def test_a_clock_that_no_resampling_follows_keeps_its_place(figure: Callable[[str], None]) -> None:
    figure(check(run(lambda: talk_for(1800.0, 500.0, 6))))


@pytest.mark.soak
@pytest.mark.parametrize("ppm", [PPM, -PPM])
def test_hours_of_drift_change_neither_the_skew_nor_the_delay(
    ppm: float, figure: Callable[[str], None]
) -> None:
    made = run(lambda: talk_for(HOURS * 3600, ppm, max(4, round(HOURS * 6))))
    figure(f"{HOURS:g} h: {check(made)}")
    assert made.cut_samples == 0
