"""Lips and sound at a viewer, and the way from the microphone, while the speaker's clock drifts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

import av
import numpy as np
import pytest

from streamer.media.types import Samples
from tests.streamer.interop.onsets import differences
from tests.streamer.interop.whole import whole_server
from tests.streamer.webrtc.stand_ins import Client, Microphone, onsets
from tests.streamer.webrtc.virtual_time import now, run

ROUND = 20  # seconds, after which the voice says the same again
MOST_SKEW = 0.04  # seconds
HOURS = float(os.environ.get("PARLEY_DRIFT_HOURS", "0.5"))
PPM = 100.0
KEPT = 40.0  # seconds of what a viewer saw that are looked at, at either end


class DriftingMicrophone(Microphone):
    """Says a signal over and over, by a clock that is fast by so many parts in a million."""

    def __init__(self, signal: Samples, ppm: float) -> None:
        super().__init__(signal)
        self._rate = 48_000 * (1 + ppm * 1e-6)

    async def recv(self) -> av.AudioFrame:
        if self.began is None:
            self.began = now()
        await asyncio.sleep(max(0.0, self.began + (self._at + 960) / self._rate - now()))
        block = np.take(self._pcm, range(self._at, self._at + 960), mode="wrap")
        frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._at, Fraction(1, 48_000)
        self._at += 960
        return frame

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


@dataclass
class Look:
    """By how many seconds sound was later than lips, and than the microphone."""

    skews: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


def look(viewer: Client, microphone: DriftingMicrophone, begins: list[float]) -> Look:
    levels = [
        (at + n / 48_000, float(np.sqrt(np.mean(samples[n : n + 96] ** 2))))
        for at, samples in viewer.sound()
        for n in range(0, len(samples), 96)
    ]
    heard = first_of_each(onsets(levels, 0.05))
    seen = first_of_each(onsets(viewer.openings(0, 2), 0.3))
    rounds = range(int((now() - microphone.said(0)) // microphone.round) + 1)
    said = [microphone.said(at) + n * microphone.round for n in rounds for at in begins]
    said = [at for at in said if at > now() - KEPT]
    return Look(differences(seen, heard, 0.3), [-each for each in differences(heard, said, 0.75)])


def first_of_each(moments: list[float]) -> list[float]:
    """Leave out what follows another moment at once: a burst counts once."""
    kept: list[float] = []
    for at in moments:
        if not kept or at - kept[-1] > 0.5:
            kept.append(at)
    return kept


async def talk_for(seconds: float, ppm: float) -> tuple[Look, Look]:
    """Talk into a room, and look at the beginning and at the end."""
    signal, begins = voice()
    microphone = DriftingMicrophone(signal, ppm)
    speaker, viewer = Client(microphone), Client(watches=True)
    looks: list[Look] = []
    async with whole_server(limits={"room_seconds": 86_400}) as server:
        room = await server.open_room()
        await server.call(viewer, f"/rooms/{room}/whep")
        await server.call(speaker, f"/rooms/{room}/seats/0/whip")
        await asyncio.sleep(10.0)
        end = now() + seconds
        while now() < end:
            for kept in viewer.packets.values():
                kept.clear()
            server.built.services.registry.get(room)._show.viewers[0].ask_for_keyframe()
            await asyncio.sleep(min(KEPT, seconds / 2))
            looks = [*looks[:1], look(viewer, microphone, begins)]
        await speaker.pc.close()
        await viewer.pc.close()
    return looks[0], looks[-1]


def check(first: Look, last: Look) -> str:
    for each in (first, last):
        assert len(each.skews) > 3
        assert abs(median(each.skews)) <= MOST_SKEW
    assert abs(median(last.late) - median(first.late)) <= MOST_SKEW
    return (
        f"lips to sound {median(first.skews) * 1000:+.0f} ms at first and "
        f"{median(last.skews) * 1000:+.0f} ms at last; microphone to sound "
        f"{median(first.late) * 1000:.0f} and {median(last.late) * 1000:.0f} ms"
    )


def test_lips_and_sound_come_together_whatever_the_speakers_clock_does(
    figure: Callable[[str], None],
) -> None:
    figure(check(*run(lambda: talk_for(20.0, 300.0))))


@pytest.mark.soak
def test_hours_of_drift_change_neither_the_skew_nor_the_delay(
    figure: Callable[[str], None],
) -> None:
    figure(f"{HOURS:g} h at {PPM:g} ppm: " + check(*run(lambda: talk_for(HOURS * 3600, PPM))))
