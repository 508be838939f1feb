"""What WHIP and WHEP have in common: offers, answers, trickle, OPTIONS. RFC 9725."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from streamer.http.fragments import Described, describe, describe_offer
from streamer.http.problem import Code, Problem
from streamer.http.services import Services
from streamer.http.sessions import Session

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
SDP_BODY = {
    "requestBody": {
        "required": True,
        "content": {SDP: {"schema": {"type": "string", "description": "An SDP offer."}}},
    }
}
FRAGMENT_BODY = {
    "requestBody": {
        "required": True,
        "content": {FRAGMENT: {"schema": {"type": "string", "description": "RFC 8840."}}},
    }
}


async def read_offer(request: Request, services: Services) -> Described:
    """Read an offer from a POST.

    Raises:
        Problem: when the body is something else, or too much.
    """
    _check_type(request, SDP, "Accept-Post")
    return describe_offer(await request.body(), services.settings.limits.candidates)


def created(services: Services, session: Session, path: str, answer: str) -> Response:
    """Give the 201 to an offer."""
    user = session.caller.owner or session.id
    headers = {
        "Location": f"{path}/{session.id}",
        "ETag": session.etag,
        "Accept-Patch": FRAGMENT,
        **services.ice.links(user, services.wall()),
    }
    return Response(answer, 201, headers=headers, media_type=SDP)


async def trickle(request: Request, services: Services, session: Session) -> Response:
    """Take more candidates of a session's client: 204.

    Raises:
        Problem: 428 and 412 by If-Match, 415, and 422 for an ICE restart, which we do not do.

    whip-whep 1.2 sends no If-Match for WHEP: there, a fragment with the user fragment of the
    session's own offer says as well which ICE session it means.
    """
    _check_type(request, FRAGMENT, "Accept-Patch")
    # @eyevinn/whip-web-client 1.1 follows an early draft: it sends the tag in a header ETag.
    tag = request.headers.get("if-match") or request.headers.get("etag")
    fragment = describe(await request.body(), services.settings.limits.candidates)
    if tag is None and session.kind == "whep" and fragment.ufrags & session.offer.ufrags:
        tag = session.etag
    if tag is None:
        raise Problem(Code.IF_MATCH_MISSING, "send If-Match with the ETag of the session")
    if tag.strip() == "*" or fragment.is_restart_of(session.offer):
        raise Problem(
            Code.UNSUPPORTED, "this server restarts no ICE; end the session and begin a new one"
        )
    if session.etag not in [each.strip() for each in tag.split(",")]:
        raise Problem(Code.STALE, f"the session's ETag is {session.etag}")
    await services.calls.add_candidates(session, fragment, services.settings.limits.candidates)
    return Response(status_code=204)


def options(methods: str, accepted: dict[str, str]) -> Response:
    """Answer an OPTIONS that is no preflight."""
    return Response(status_code=204, headers={"Allow": methods, **accepted})


def _check_type(request: Request, wanted: str, header: str) -> None:
    said = request.headers.get("content-type", "")
    if said.partition(";")[0].strip().lower() != wanted:
        raise Problem(
            Code.WRONG_TYPE,
            f"send Content-Type: {wanted}, not {said[:100] or 'none'}",
            headers={header: wanted},
        )
