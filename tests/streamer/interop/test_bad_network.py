"""A voice over a bad line into a room, and what a viewer with a good line hears and sees of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamer.media.types import Samples
from tests.streamer.interop.whole import whole_server
from tests.streamer.media.simulated_link import speech_like
from tests.streamer.webrtc.stand_ins import Client, Microphone
from tests.streamer.webrtc.udp_relay import UdpRelay
from tests.streamer.webrtc.virtual_time import run

LOSS, JITTER, OUTAGE = 0.05, 0.05, 2.0  # share, seconds, seconds
RECOVERY = 5.0  # seconds
PIECE = 0.5  # seconds that are compared
LIKE = 0.6  # two coders and a level control lie between; other pieces of the voice are below 0.4


@dataclass
class Call:
    microphone: Microphone = field(default_factory=lambda: Microphone(speech_like(20.0)))
    viewer: Client = field(default_factory=lambda: Client(watches=True))
    delays: list[float] = field(default_factory=list)


def heard(viewer: Client, start: float) -> Samples:
    """What the viewer heard from a moment on, at 16 kHz, each packet where it came."""
    sound = viewer.sound()
    out = np.zeros(round((sound[-1][0] - start + 1) * 16_000), np.float32)
    for (_, samples), packet in zip(sound, viewer.packets["audio"], strict=True):
        first = viewer.packets["audio"][0]
        place = first.at - start + (packet.timestamp - first.timestamp) / 48_000
        begin = round(place * 16_000)
        if 0 <= begin <= len(out) - 320:
            out[begin : begin + 320] = samples[::3]
    return out


def delay(said: Samples, sound: Samples, second: float) -> tuple[float, float]:
    """How late, and how like itself, is what is heard at a second of the call."""
    start, size, reach = round(second * 16_000), round(PIECE * 16_000), 16_000
    piece = sound[start : start + size].astype(np.float64)
    area = said[start - reach : start + size].astype(np.float64)
    scores = np.correlate(area, piece, "valid")
    energy = np.sqrt(np.convolve(area**2, np.ones(size), "valid") + 1e-9)
    scores = scores / energy / (np.linalg.norm(piece) + 1e-9)
    best = int(np.argmax(scores))
    return (reach - best) / 16_000, float(scores[best])


async def talk_over_a_bad_line() -> Call:
    made = Call()
    speaker = Client(made.microphone)
    async with whole_server() as server, UdpRelay() as relay:
        room = await server.open_room()
        await server.call(made.viewer, f"/rooms/{room}/whep")
        await server.call(speaker, f"/rooms/{room}/seats/1/whip", relay)
        await asyncio.sleep(5.0)
        relay.loss, relay.jitter = LOSS, JITTER
        await asyncio.sleep(3.0)
        relay.is_down = True
        await asyncio.sleep(OUTAGE)
        relay.is_down, relay.loss, relay.jitter = False, 0.0, 0.0
        await asyncio.sleep(RECOVERY + 3.0)
        assert relay.dropped > 50
        await speaker.pc.close()
        await made.viewer.pc.close()
    return made


def test_after_loss_jitter_and_an_outage_lips_are_no_later_than_before(
    figure: Callable[[str], None],
) -> None:
    made = run(talk_over_a_bad_line)
    began = made.microphone.began
    assert began is not None
    said = np.asarray(made.microphone._pcm[::3] / 32768, np.float32)
    sound = heard(made.viewer, began)
    before, likeness = delay(said, sound, 3.5)
    assert likeness > LIKE
    assert before < 0.6
    back = 5.0 + 3.0 + OUTAGE + RECOVERY  # seconds of the call
    after = [delay(said, sound, back + n * 0.5) for n in range(4)]
    figure(f"{before * 1000:.0f} ms before, {max(after)[0] * 1000:.0f} ms after")
    assert min(likeness for _, likeness in after) > LIKE
    assert max(late for late, _ in after) <= before + 0.03
    mouth = made.viewer.openings(1, 2)
    moments = [at - began for at, opened in mouth if opened > 0.05]
    gaps = [b - a for a, b in itertools.pairwise(moments) if back < b]
    assert max(gaps) < 1.0  # it moves again
