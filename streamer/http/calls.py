"""WebRTC calls: a peer connection, the seat it speaks from, the viewer it feeds, until all end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from streamer.http.fragments import Described
from streamer.http.guard import Caller
from streamer.http.logs import About
from streamer.http.peer_meters import PeerTotals
from streamer.http.problem import Code, Problem
from streamer.http.sessions import Kind, Session, SessionTable
from streamer.rooms.events import EventKind
from streamer.rooms.room import Room
from streamer.rooms.seat import SeatInput
from streamer.rooms.viewer import Codec, Viewer
from streamer.webrtc.peer_stats import PeerStats

ANSWER_SECONDS = 10.0
RETRY_SECONDS = 2.0
LOST = "lost"  # the client went without a word: its seat is kept for a while
GOODBYE = "closed"  # the client ended its connection
CODECS: dict[Codec, str] = {"vp8": "vp8/90000", "h264": "h264/90000"}


class Peer(Protocol):
    """One connection to a client."""

    @property
    def answer(self) -> str:
        """Our session description."""
        ...

    @property
    def latest(self) -> PeerStats | None:
        """How the connection was when it last looked at itself."""
        ...

    async def add_candidates(self, fragment: str) -> None:
        """Take candidates of a trickle-ice-sdpfrag; those that are not allowed are dropped."""
        ...

    async def ended(self) -> str:
        """Wait until it is over: `lost` when the client went without a word."""
        ...

    async def close(self) -> None: ...


class Peers(Protocol):
    """Answers offers."""

    async def answer_publisher(self, offer: str, voice: SeatInput) -> Peer: ...

    async def answer_viewer(self, offer: str, viewer: Viewer) -> Peer: ...

    async def answer_both(self, offer: str, voice: SeatInput, viewer: Viewer) -> Peer: ...


@dataclass(slots=True, eq=False)
class _Call:
    session: Session
    room: Room
    voice: SeatInput | None = None
    viewer: Viewer | None = None
    peer: Peer | None = None
    task: asyncio.Task[None] | None = None
    reason: str | None = None  # why we end it ourselves

    def let_go(self, reason: str) -> None:
        """Give back the seat and the viewer."""
        if self.viewer is not None:
            self.viewer.close()
        if self.voice is not None:
            if reason == LOST:
                self.voice.lost()
            else:
                self.voice.close()


class Calls:
    """Owns every call of the server; `close` ends them all."""

    def __init__(self, peers: Peers, sessions: SessionTable, codec: Codec) -> None:
        self.sessions = sessions
        self._peers = peers
        self._codec = codec  # for viewers that take either
        self._calls: dict[str, _Call] = {}
        self.totals = PeerTotals()

    def peers(self) -> list[PeerStats]:
        """Say how the connections are that are open now."""
        latest = [call.peer.latest for call in self._calls.values() if call.peer is not None]
        return [stats for stats in latest if stats is not None]

    async def publish(
        self, room: Room, seat: int, offer: Described, caller: Caller
    ) -> tuple[Session, str]:
        """Let a client speak from a seat (WHIP).

        Raises:
            Problem, StreamerError: when it may not, or its offer cannot be answered.
        """
        call = self._open("whip", room, seat, offer, caller)

        async def connect() -> Peer:
            call.voice = room.publish(seat, kind="live", holder=caller.owner or None)
            return await self._peers.answer_publisher(offer.text, call.voice)

        return await self._connect(call, connect)

    async def view(self, room: Room, offer: Described, caller: Caller) -> tuple[Session, str]:
        """Let a client watch a room (WHEP).

        Raises:
            Problem, StreamerError: when it may not, or its offer cannot be answered.
        """
        call = self._open("whep", room, None, offer, caller)

        async def connect() -> Peer:
            call.viewer = room.add_viewer(codec=self._codec_for(offer))
            return await self._peers.answer_viewer(offer.text, call.viewer)

        return await self._connect(call, connect)

    async def join(
        self, room: Room, seat: int, offer: Described, caller: Caller
    ) -> tuple[Session, str]:
        """Let a client do both on one connection; it does not hear its own seat.

        Raises:
            Problem, StreamerError: when it may not, or its offer cannot be answered.
        """
        call = self._open("join", room, seat, offer, caller)

        async def connect() -> Peer:
            call.voice = room.publish(seat, kind="live", holder=caller.owner or None)
            call.viewer = room.add_viewer(own_seat=seat, codec=self._codec_for(offer))
            return await self._peers.answer_both(offer.text, call.voice, call.viewer)

        return await self._connect(call, connect)

    async def add_candidates(self, session: Session, fragment: Described, most: int) -> None:
        """Give a call more of its client's candidates.

        Raises:
            Problem: when it had as many as it may have.
        """
        if session.candidates + fragment.candidates > most:
            raise Problem(Code.TOO_LARGE, f"a session may have {most} candidates in all")
        session.candidates += fragment.candidates
        call = self._calls.get(session.id)
        if call is not None and call.peer is not None:
            await call.peer.add_candidates(fragment.text)

    async def end(self, session: Session, reason: str = "deleted") -> None:
        """End a call and wait until everything of it is given back."""
        call = self._calls.get(session.id)
        if call is None or call.task is None:
            return
        call.reason = reason
        call.task.cancel()
        await asyncio.wait([call.task])  # ends with the closing of its peer

    async def hang_up(self, session_id: str, kind: Kind, room: str, seat: int | None) -> None:
        """End a call by its URL, and wait until everything of it is given back.

        Raises:
            Problem: when there is none.
        """
        if not self.sessions.has_departed(session_id, kind, room, seat):
            await self.end(self.sessions.find(session_id, kind, room, seat))

    async def close(self) -> None:
        """End every call."""
        await asyncio.gather(*(self.end(c.session, "server") for c in tuple(self._calls.values())))

    def _codec_for(self, offer: Described) -> Codec:
        """Choose what a client can decode: ours, or the other one where it lacks ours."""
        text = offer.text.lower()
        for codec in (self._codec, *CODECS):
            if CODECS[codec] in text:
                return codec
        return self._codec

    def _open(
        self, kind: Kind, room: Room, seat: int | None, offer: Described, caller: Caller
    ) -> _Call:
        if room.state in {"closing", "ended"}:
            raise Problem(Code.NOT_LIVE, "the room is closing", retry_after=RETRY_SECONDS)
        session = self.sessions.open(kind, room.id, seat, caller)
        session.offer, session.candidates = offer, offer.candidates
        return _Call(session, room)

    async def _connect(
        self, call: _Call, connect: Callable[[], Awaitable[Peer]]
    ) -> tuple[Session, str]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                call.peer = await connect()
        except BaseException as error:  # also when the client hangs up, which cancels this
            call.let_go("closed")
            self.sessions.close(call.session)
            if isinstance(error, TimeoutError):
                detail = "the offer could not be answered in time"
                raise Problem(Code.FULL, detail, retry_after=RETRY_SECONDS) from error
            raise
        self._calls[call.session.id] = call
        name = f"call {call.session.id[:6]}"
        call.task = asyncio.create_task(self._watch(call, call.peer), name=name)
        return call.session, call.peer.answer

    async def _watch(self, call: _Call, peer: Peer) -> None:
        """Wait for the end of the peer or of the room, then give everything back."""
        session = call.session
        log = About(logging.getLogger(__name__), {"room": session.room, "session": session.id[:6]})
        log.info("%s begins", session.kind)
        reason = "failed"
        try:
            reason = await _first(peer.ended(), _room_end(call.room))
        finally:
            reason = call.reason or reason
            call.let_go(reason)
            self._calls.pop(session.id, None)
            self.totals.ended(peer.latest)
            if reason == GOODBYE:
                self.sessions.depart(session)
            else:
                self.sessions.close(session)
            log.info("%s ends: %s", session.kind, reason)
            await peer.close()


async def _room_end(room: Room) -> str:
    """Wait until a room has ended."""
    events = room.events.subscribe()
    try:
        async for event in events:
            if event.kind is EventKind.ENDED:
                break
    finally:
        events.close()
    return "room"


async def _first(*waits: Awaitable[str]) -> str:
    """Give what is there first, and cancel the rest."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
