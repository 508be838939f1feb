"""Where a seat's websocket is opened: token, room, sample rate, seat, and only then a yes."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter, WebSocket

from engines.errors import EngineError
from streamer.errors import StreamerError
from streamer.http.buckets import Rate
from streamer.http.guard import PROTOCOL, Caller
from streamer.http.identifiers import is_id
from streamer.http.problem import Code, Problem, answer
from streamer.http.refusals import DENIAL, POLICY_VIOLATION
from streamer.http.seat_messages import PcmRate, ready_text
from streamer.http.seat_socket import SeatSocket, SocketLimits
from streamer.http.services import Services, ServicesDep
from streamer.http.sessions import Session
from streamer.http.tokens import Role
from streamer.http.translation import as_problem
from streamer.rooms.room import Room

router = APIRouter()
DEFAULT_RATE = 16_000


@router.websocket("/rooms/{room_id}/seats/{seat}/audio")
async def speak(socket: WebSocket, room_id: str, seat: int, services: ServicesDep) -> None:
    """Push speech to a seat; see docs/protocol.md, Websocket."""
    try:
        caller = services.doorman.admit(socket)
        caller.require(Role.PUBLISH, room_id, seat)
        rate = _pcm_rate(socket)
        room = services.room(room_id)
        with services.calls.sessions.opened("socket", room_id, seat, caller) as session:
            voice = room.publish(seat, kind="bot", holder=_holder(socket, caller))
            try:
                offered = socket.scope.get("subprotocols", ())
                await socket.accept(PROTOCOL if PROTOCOL in offered else None)
                seat_socket = SeatSocket(
                    socket, room, voice, rate, _limits(services), services.meters
                )
                await seat_socket.run(_ready(services, room, session, rate))
            finally:
                voice.close()  # does nothing when `run` gave the seat back
    except (StreamerError, EngineError) as error:
        await _deny(socket, as_problem(error))
    except Problem as problem:
        await _deny(socket, problem)


async def _deny(socket: WebSocket, problem: Problem) -> None:
    """Refuse during the handshake, with the problem as the body where the server can."""
    if DENIAL in socket.scope.get("extensions", {}):
        await socket.send_denial_response(answer(problem))
    else:
        await socket.close(POLICY_VIOLATION, problem.code.value)


def _pcm_rate(socket: WebSocket) -> PcmRate:
    said = socket.query_params.get("sample_rate", str(DEFAULT_RATE))
    for rate in get_args(PcmRate):
        if said == str(rate):
            chosen: PcmRate = rate
            return chosen
    raise Problem(Code.INVALID, "sample_rate is 16000, 24000 or 48000")


def _holder(socket: WebSocket, caller: Caller) -> str | None:
    """Name who has the seat, so that the same client may come back to it."""
    named = socket.query_params.get("holder", "")
    if named and not is_id(named):
        raise Problem(Code.INVALID, "holder is up to 64 letters, digits, - and _")
    return f"{caller.owner}:{named}" if caller.owner or named else None


def _limits(services: Services) -> SocketLimits:
    limits, rate = services.settings.limits, services.settings.rates.message
    return SocketLimits(
        rate=Rate(per_second=rate.per_minute / 60, burst=rate.burst),
        backlog_bytes=limits.backlog_bytes,
        idle_seconds=limits.socket_idle_seconds,
        prompt_characters=limits.prompt_characters,
    )


def _ready(services: Services, room: Room, session: Session, rate: PcmRate) -> str:
    limits = services.settings.limits
    return ready_text(
        {
            "protocol": PROTOCOL,
            "room": room.id,
            "seat": session.seat,
            "session": session.id,
            "sample_rate": rate,
            "most_queued_ms": int(limits.queued_seconds * 1000),
            "most_message_bytes": limits.message_bytes,
            "is_ai_generated": True,
        }
    )
