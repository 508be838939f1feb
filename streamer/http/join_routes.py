"""One sendrecv connection for a browser that speaks and watches, in the JSON that Pipecat's
small-webrtc client sends too.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from streamer.http.fragments import describe, describe_offer
from streamer.http.guard import Caller
from streamer.http.problem import Code, Problem
from streamer.http.services import CallerDep, Services, ServicesDep
from streamer.http.tokens import Role
from streamer.rooms.room import Room

router = APIRouter(tags=["join"])
SEAT_RETRY_SECONDS = 5.0
Identifier = Annotated[str, StringConstraints(max_length=64)]
CandidateLine = Annotated[
    str, StringConstraints(max_length=1000, pattern=r"^$|^(a=)?candidate:[^\r\n\x00]*$")
]
Mid = Annotated[str, StringConstraints(max_length=32, pattern=r"^[A-Za-z0-9_.+-]*$")]


class Lenient(BaseModel):
    """What other people's clients send; fields we do not know are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RequestData(Lenient):
    """What an application adds to its offer."""

    seat: int | None = Field(None, ge=0, le=255)


class JoinOffer(Lenient):
    """An offer."""

    sdp: str
    type: Literal["offer"]
    pc_id: Identifier | None = Field(None, description="Of the connection that this one replaces.")
    restart_pc: bool | None = None
    requestData: RequestData | None = None  # noqa: N815  # as the clients spell it
    request_data: RequestData | None = None


class JoinAnswer(BaseModel):
    """The answer to an offer."""

    sdp: str
    type: Literal["answer"] = "answer"
    pc_id: str
    seat: int


class JoinCandidate(Lenient):
    """One candidate; empty at the end of candidates."""

    candidate: CandidateLine
    sdp_mid: Mid | None = None
    sdp_mline_index: int | None = Field(None, ge=0, le=64)


class JoinCandidates(Lenient):
    """More candidates of a connection."""

    pc_id: Identifier
    candidates: tuple[JoinCandidate, ...] = Field(max_length=1000)


class Done(BaseModel):
    """It worked."""

    status: Literal["success"] = "success"


@router.post("/rooms/{room_id}/join")
async def join(  # FastAPI's parameters are the request's parts
    room_id: str,
    wish: JoinOffer,
    services: ServicesDep,
    caller: CallerDep,
    response: Response,
    seat: Annotated[int | None, Query(ge=0, le=255)] = None,
) -> JoinAnswer:
    """Speak from a seat and watch the room on one connection. Without a seat: the first free."""
    caller.require(Role.PUBLISH, room_id, caller.claims.seat)
    limits = services.settings.limits
    body = wish.sdp.encode(errors="replace")
    if len(body) > limits.sdp_bytes:
        raise Problem(Code.TOO_LARGE, f"the offer has {len(body)} bytes, {limits.sdp_bytes} is all")
    offer = describe_offer(body, limits.candidates)
    room = services.room(room_id)
    if wish.pc_id:
        await _end_old(services, room_id, wish.pc_id, caller)
    chosen = _seat(room, seat, wish, caller)
    caller.require(Role.PUBLISH, room_id, chosen)
    session, answer = await services.calls.join(room, chosen, offer, caller)
    response.headers["Location"] = f"/rooms/{room_id}/join/{session.id}"
    links = services.ice.links(caller.owner or session.id, services.wall())
    response.headers.update(links)
    return JoinAnswer(sdp=answer, pc_id=session.id, seat=chosen)


@router.patch("/rooms/{room_id}/join")
async def add_candidates(
    room_id: str, more: JoinCandidates, services: ServicesDep, caller: CallerDep
) -> Done:
    """Add candidates to a connection."""
    caller.require(Role.PUBLISH, room_id, caller.claims.seat)
    session = services.calls.sessions.find_in_room(more.pc_id, "join", room_id)
    most = services.settings.limits.candidates
    lines: list[str] = []
    for each in more.candidates:
        if each.candidate:
            mid = each.sdp_mid if each.sdp_mid is not None else str(each.sdp_mline_index or 0)
            line = each.candidate.removeprefix("a=")
            lines += ["m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{mid}", f"a={line}"]
    fragment = describe("".join(f"{line}\r\n" for line in lines).encode(), most)
    await services.calls.add_candidates(session, fragment, most)
    return Done()


@router.delete("/rooms/{room_id}/join/{pc_id}")
async def leave(room_id: str, pc_id: str, services: ServicesDep, caller: CallerDep) -> Done:
    """End a connection and leave the seat."""
    caller.require(Role.PUBLISH, room_id, caller.claims.seat)
    sessions = services.calls.sessions
    if sessions.forget_departed(pc_id, "join", room_id) is None:
        session = sessions.find_in_room(pc_id, "join", room_id)
        caller.require(Role.PUBLISH, room_id, session.seat)
        await services.calls.end(session)
    return Done()


def _seat(room: Room, asked: int | None, wish: JoinOffer, caller: Caller) -> int:
    """Choose the seat: asked for, the token's, or the first that is free."""
    data = wish.requestData or wish.request_data
    for seat in (asked, data.seat if data else None, caller.claims.seat):
        if seat is not None:
            return seat
    for each in room.seats:
        if each.is_free:
            return each.number
    raise Problem(
        Code.SEAT_TAKEN, "every seat of the room is taken", retry_after=SEAT_RETRY_SECONDS
    )


async def _end_old(services: Services, room_id: str, pc_id: str, caller: Caller) -> None:
    """End the connection that a client replaces; one that is gone already is no error."""
    try:
        session = services.calls.sessions.find_in_room(pc_id, "join", room_id)
    except Problem:
        return
    if session.caller.owner == caller.owner:
        await services.calls.end(session)
