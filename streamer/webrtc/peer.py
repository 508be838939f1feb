"""One connection to a client, until either side or the network ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.sdp import candidate_from_sdp

from streamer.errors import Ended
from streamer.media.live_voice import LiveVoice
from streamer.media.voice_input import VoiceBlock, VoiceChange
from streamer.webrtc.aiortc_seams import has_consent
from streamer.webrtc.candidates import CandidatePolicy
from streamer.webrtc.ends import VoiceSink
from streamer.webrtc.peer_stats import PeerStats, read_stats
from streamer.webrtc.sdp import SdpLimits, allowed_candidates

logger = logging.getLogger(__name__)
TICK = 0.02  # seconds between two reads of a voice
CLOSING = 5.0  # seconds that closing may take
LOOK = 1.0  # seconds between two looks at whether the client is there


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """How long a connection waits, in seconds, and what a client may send."""

    # From the answer to the connection: a client that dies meanwhile must be gone within 10 s,
    # and a second or two is what ICE and DTLS take, also through TURN.
    connect: float = 8.0
    silence: float = 6.0  # without any packet and any answer: the client is gone
    candidates: CandidatePolicy = field(default_factory=CandidatePolicy)
    sdp: SdpLimits = field(default_factory=SdpLimits)


class Peer:
    """Made by a `PeerFactory`; whoever asked for it closes it.

    Args:
        pc: answered.
        limits: of waiting.
        main_mid: of the section whose transport all share.
        now: monotonic seconds.
    """

    def __init__(
        self, pc: RTCPeerConnection, limits: PeerLimits, main_mid: str, now: Callable[[], float]
    ) -> None:
        self.answer = pc.localDescription.sdp
        self.connected = asyncio.Event()
        self.voice: LiveVoice | None = None
        self.keyframe_requests = 0
        self.remb: int | None = None  # bits a second
        self.latest: PeerStats | None = None  # of the last second
        self._pc = pc
        self._limits = limits
        self._main_mid = main_mid
        self._now = now
        self._reason: str | None = None
        self._has_ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        pc.on("connectionstatechange", self._state_changed)
        self._state_changed()
        self._start(self._watch(), "watch")

    @property
    def state(self) -> str:
        """New, connecting, connected, failed or closed."""
        return self._pc.connectionState

    async def ended(self) -> str:
        """Wait until it is over, and say why.

        `closed` when the client said goodbye, `failed` when it never came, `lost` when it went
        without a word, `ours` when we closed.
        """
        await self._has_ended.wait()  # ended by the client, the network's limits, or close()
        return self._reason or "ours"

    async def add_candidates(self, fragment: str) -> None:
        """Take the candidates of a trickle fragment; those that are not allowed are dropped.

        Raises:
            InvalidInput: when it is too large or no fragment.
        """
        limits = self._limits
        self.take_candidates(allowed_candidates(fragment, limits.candidates, limits.sdp))

    def take_candidates(self, lines: Sequence[str]) -> None:
        """Add candidates that were allowed, without waiting for names to be looked up."""
        if lines and self._reason is None:
            self._start(self._add(lines), "candidates")

    def hear(self, voice: LiveVoice, sink: VoiceSink) -> None:
        """Begin to move a voice to its seat."""
        self.voice = voice
        self._start(self._pump(voice, sink), "voice")

    async def stats(self) -> PeerStats:
        """Say how the connection is."""
        return await read_stats(self._pc, self)

    async def close(self) -> None:
        """End it, and wait until nothing of it is left. May be called again."""
        if self._closing is None:
            self._end("ours")
            self._closing = asyncio.create_task(self._close(), name="peer close")
        await asyncio.shield(self._closing)  # a caller that is cancelled leaves it to finish

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSING):
                await self._pc.close()
        except TimeoutError:
            logger.warning("a peer connection did not close within %g s", CLOSING)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"peer {name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", task.get_name(), exc_info=error)
            self._end("failed")

    def _end(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            self._has_ended.set()

    def _state_changed(self) -> None:
        match self._pc.connectionState:
            case "connected":
                self.connected.set()
            case "failed":
                self._end("lost" if self.connected.is_set() else "failed")
            case "closed":
                self._end("closed")

    async def _watch(self) -> None:
        """Give up a client that does not come, or has gone without a word."""
        try:
            async with asyncio.timeout(self._limits.connect):
                await self.connected.wait()
        except TimeoutError:
            self._end("failed")
            return
        received, alive_at = 0, self._now()
        while self._reason is None:
            await asyncio.sleep(LOOK)
            self.latest = await self.stats()
            packets = self.latest.packets_received
            if packets != received or await has_consent(self._pc):
                received, alive_at = packets, self._now()
            elif self._now() - alive_at > self._limits.silence:
                self._end("lost")

    async def _add(self, lines: Sequence[str]) -> None:
        for line in lines:
            candidate = candidate_from_sdp(line.removeprefix("candidate:"))
            candidate.sdpMid = self._main_mid
            try:
                await self._pc.addIceCandidate(candidate)
            except (ValueError, OSError) as error:  # end-of-candidates was said, or no multicast
                logger.debug("a candidate was not added: %s", error)

    async def _pump(self, voice: LiveVoice, sink: VoiceSink) -> None:
        """Give the seat what the voice has, every 20 ms from the first packet on."""
        due = self._now()
        while sink.ended is None:
            due = max(due + TICK, self._now() - TICK)
            await asyncio.sleep(max(0.0, due - self._now()))
            block = voice.read(self._now())
            if not voice.has_begun:
                continue
            try:
                give(block, sink)
            except Ended:
                return


def give(block: VoiceBlock, sink: VoiceSink) -> None:
    """Give a seat some sound and tell it who speaks.

    Raises:
        Ended: when the seat takes nothing more.
    """
    sink.push(block.samples)
    for event in block.events:
        if event.change is VoiceChange.SPEECH_STARTED:
            sink.report_voice(is_speaking=True)
        elif event.change in (VoiceChange.SPEECH_STOPPED, VoiceChange.STALLED):
            sink.report_voice(is_speaking=False)
