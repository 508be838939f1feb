"""Real connections over loopback, with aiortc as the client, in virtual time."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import numpy as np
import pytest
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, pack_remb_fci

from streamer.errors import InvalidInput
from streamer.media.level import LevelConfig
from streamer.webrtc.factory import PeerFactory
from streamer.webrtc.peer import Peer
from streamer.webrtc.tracks import SoundTrack
from tests.streamer.media.simulated_link import speech_like
from tests.streamer.webrtc.stand_ins import (
    LOCAL,
    Client,
    Ear,
    Microphone,
    ShownSound,
    Stage,
    bursts,
    close,
    factory,
    onsets,
)
from tests.streamer.webrtc.udp_relay import UdpRelay
from tests.streamer.webrtc.virtual_time import run

PLAIN = dataclasses.replace(LOCAL, level=LevelConfig(is_on=False))
TEN = 10


def delay(microphone: Microphone, ear: Ear, second: float) -> tuple[float, float]:
    """How late, and how like itself, a voice is heard `second` seconds after it began."""
    assert microphone.began is not None
    assert ear.began is not None
    said = microphone._pcm[::3].astype(np.float64)
    heard = ear.heard.astype(np.float64)
    start = round((microphone.began + second - ear.began) * 16000)
    piece = heard[start : start + 8000]
    at = round(second * 16000)
    reach = 12800  # 0.8 s
    area = said[at - reach : at + 8000]
    scores = np.correlate(area, piece, "valid")
    energy = np.sqrt(np.convolve(area**2, np.ones(len(piece)), "valid") + 1e-9)
    scores = scores / energy / (np.linalg.norm(piece) + 1e-9)
    best = int(np.argmax(scores))
    return (reach - best) / 16000, float(scores[best])


def test_a_published_voice_is_heard_as_it_was_said() -> None:
    async def call() -> tuple[Microphone, Ear, Peer]:
        microphone, ear = Microphone(speech_like(3.0)), Ear()
        client = Client(microphone)
        peer = await factory(PLAIN).answer_publisher(await client.offer(), ear)
        await client.accept(peer)
        await asyncio.sleep(3.2)
        assert peer.latest is not None  # it looks at itself
        assert peer.latest.packets_received > 50
        stats = await peer.stats()
        assert stats.packets_received > 50
        assert stats.voice is not None
        assert stats.voice.lost == 0
        await client.pc.close()
        async with asyncio.timeout(TEN):
            assert await peer.ended() == "closed"
        await peer.close()
        return microphone, ear, peer

    microphone, ear, _ = run(call)
    late, likeness = delay(microphone, ear, 1.5)
    assert likeness > 0.8
    assert 0.0 < late < 0.3
    assert ear.speaking[0]


def test_after_loss_jitter_and_an_outage_the_delay_is_what_it_was() -> None:
    async def call() -> tuple[Microphone, Ear]:
        microphone, ear = Microphone(speech_like(13.0)), Ear()
        client = Client(microphone)
        async with UdpRelay() as relay:
            peer = await factory(PLAIN).answer_publisher(await client.offer(relay), ear)
            await client.accept(peer, relay)
            await asyncio.sleep(2.5)
            relay.loss, relay.jitter = 0.05, 0.05
            await asyncio.sleep(2.0)
            relay.is_down = True
            await asyncio.sleep(2.0)
            relay.is_down, relay.loss, relay.jitter = False, 0.0, 0.0
            await asyncio.sleep(5.8)
            assert relay.dropped > 50
            await close(client, peer)
        return microphone, ear

    microphone, ear = run(call)
    before, _ = delay(microphone, ear, 1.5)
    after, likeness = delay(microphone, ear, 11.5)
    assert likeness > 0.8
    assert after <= before + 0.06


def test_lips_and_sound_leave_together() -> None:
    async def call() -> Client:
        stage, client = Stage(bursts(6, 75), 75), Client(watches=True)
        peer = await factory().answer_viewer(await client.offer(), stage.watch())
        await client.accept(peer)
        await stage.play()
        await asyncio.sleep(0.3)
        await close(client, peer)
        return client

    client = run(call)
    opened = onsets(client.openings(), 0.5)
    levels = [
        (at + n / 48000, float(np.sqrt(np.mean(samples[n : n + 96] ** 2))))
        for at, samples in client.sound()
        for n in range(0, len(samples), 96)
    ]
    loud = onsets(levels, 0.12)
    assert len(opened) == len(loud) == 6
    skews = [sound - sight for sight, sound in zip(opened, loud, strict=True)]
    assert abs(float(np.median(skews))) < 0.04


def test_twenty_viewers_cost_one_encode() -> None:
    async def call() -> None:
        stage, made = Stage(bursts(1, 15), 15), factory()
        clients = [Client(watches=True) for _ in range(20)]
        peers = []
        for client in clients:
            peers.append(await made.answer_viewer(await client.offer(), stage.watch()))
            await client.accept(peers[-1])
        await stage.play()
        await asyncio.sleep(0.5)
        assert stage.encoder.frames == 15
        assert made.relay.encoded == 14  # the first sound tells whose encoder goes on
        for client in clients:
            assert len({p.timestamp for p in client.packets["video"]}) == 15
            assert [p.data for p in client.packets["audio"]] == [
                p.data for p in clients[0].packets["audio"]
            ]
        stage.end()
        await close(*clients, *peers)

    run(call)


def test_who_speaks_and_watches_does_both_on_one_connection() -> None:
    async def call() -> None:
        stage, ear = Stage(bursts(2, 25), 25), Ear()
        client = Client(Microphone(speech_like(1.5)), watches=True)
        peer = await factory().answer_both(await client.offer(), ear, stage.watch())
        await client.accept(peer)
        await stage.play()
        await asyncio.sleep(0.5)
        assert np.abs(ear.heard).max() > 0.05
        await close(client, peer)

    run(call)


def test_what_a_viewer_says_of_its_line_reaches_the_room() -> None:
    async def call() -> None:
        stage, client = Stage(bursts(1, 15), 15), Client(watches=True)
        seen = stage.watch()
        peer = await factory().answer_viewer(await client.offer(), seen)
        await client.accept(peer)
        await stage.play()
        await asyncio.sleep(0.5)
        ssrc = peer._pc.getTransceivers()[1].sender._ssrc
        await client.receiver._send_rtcp_pli(ssrc)
        fci = pack_remb_fci(345_000, [ssrc])
        remb = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci)
        await client.receiver._send_rtcp(remb)
        await asyncio.sleep(0.5)
        assert seen.bitrates[0] == pytest.approx(345_000, rel=0.01)
        assert (peer.keyframe_requests, peer.remb) == (1, seen.bitrates[0])
        await close(client, peer)

    run(call)


def test_a_client_that_vanishes_without_a_word_is_noticed() -> None:
    async def call() -> None:
        limits = dataclasses.replace(LOCAL.limits, silence=1.0)
        ear, client = Ear(), Client(Microphone(speech_like(1.0)))
        async with UdpRelay() as relay:
            made = factory(dataclasses.replace(LOCAL, limits=limits))
            peer = await made.answer_publisher(await client.offer(relay), ear)
            await client.accept(peer, relay)
            relay.is_down = True
            async with asyncio.timeout(TEN):
                assert await peer.ended() == "lost"
            await close(client, peer)

    run(call)


def test_a_client_that_never_comes_is_given_up() -> None:
    async def call() -> None:
        limits = dataclasses.replace(LOCAL.limits, connect=0.3)
        client = Client(watches=True)
        made = factory(dataclasses.replace(LOCAL, limits=limits))
        peer = await made.answer_viewer(await client.offer(), Stage(bursts(1, 10), 10).watch())
        async with asyncio.timeout(TEN):
            assert await peer.ended() == "failed"
        await close(client, peer)

    run(call)


def test_a_seat_that_is_taken_away_ends_the_voice_and_not_the_connection() -> None:
    async def call() -> None:
        ear, client = Ear(), Client(Microphone(speech_like(1.0)))
        peer = await factory().answer_publisher(await client.offer(), ear)
        await client.accept(peer)
        await asyncio.sleep(0.5)
        ear.ended = "replaced"
        blocks = len(ear.blocks)
        await asyncio.sleep(0.2)
        assert len(ear.blocks) == blocks
        assert peer.state == "connected"
        await close(client, peer)

    run(call)


def test_connecting_and_going_away_at_any_moment_leaves_nothing_behind() -> None:
    async def cycle(made: PeerFactory, moment: int) -> None:
        client, ear = Client(Microphone(speech_like(0.1))), Ear()
        answering = asyncio.create_task(made.answer_publisher(await client.offer(), ear))
        if moment < 2:  # the client hangs up while we answer
            await asyncio.sleep(0.0005 * moment)
            answering.cancel()
        peers = await asyncio.gather(answering, return_exceptions=True)
        peer = peers[0]
        if isinstance(peer, Peer):
            if moment > 2:
                await client.accept(peer)
            await asyncio.gather(peer.close(), peer.close())
            assert await peer.ended() == "ours"
        await client.pc.close()

    async def call() -> None:
        made = factory()
        await cycle(made, 3)
        await asyncio.sleep(0.05)
        tasks, threads = len(asyncio.all_tasks()), threading.active_count()
        for n in range(8):
            await cycle(made, n % 4)
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) <= tasks
        assert threading.active_count() <= threads

    run(call)


@pytest.mark.parametrize("kind", ["publisher", "viewer"])
def test_an_offer_of_the_wrong_direction_is_refused(kind: str) -> None:
    async def call() -> None:
        speaks = kind == "viewer"
        client = Client(Microphone(speech_like(0.1))) if speaks else Client(watches=True)
        offer, made = await client.offer(), factory()
        seen = Stage(bursts(1, 10), 10).watch()
        answering = (
            made.answer_viewer(offer, seen) if speaks else made.answer_publisher(offer, Ear())
        )
        with pytest.raises(InvalidInput, match="must offer to"):
            await answering
        await client.pc.close()

    run(call)


def test_a_viewer_who_comes_later_does_not_take_the_others_encoder_away() -> None:
    async def call() -> None:
        stage, relay = Stage(bursts(1, 15), 15), factory().relay
        blocks = [ShownSound(np.full(1920, n, np.int16), 1920 * n) for n in range(4)]
        others, newcomers = stage.watch(), stage.watch()
        other, newcomer = SoundTrack(others, relay), SoundTrack(newcomers, relay)
        for block in blocks[:2]:
            others.sounds.put_nowait(block)
        await other.recv()
        coming = asyncio.create_task(newcomer.recv())
        for block in blocks[2:]:
            newcomers.sounds.put_nowait(block)  # it is the first to send each
            await asyncio.sleep(0.02)
            others.sounds.put_nowait(block)
            await other.recv()
            await other.recv()
        await coming
        assert relay.encoders == 1

    run(call)
