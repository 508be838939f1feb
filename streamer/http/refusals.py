"""How a request or a websocket is refused before any route sees it."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from streamer.http.problem import Problem, answer

DENIAL = "websocket.http.response"  # the ASGI extension that gives a refused websocket a body
POLICY_VIOLATION = 1008


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem; a websocket is refused during its handshake."""
    if scope["type"] == "http":
        await answer(problem)(scope, receive, send)
        return
    await receive()  # websocket.connect
    if DENIAL not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": problem.code})
        return
    response = answer(problem)
    await send(
        {
            "type": f"{DENIAL}.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
    await send({"type": f"{DENIAL}.body", "body": response.body})
