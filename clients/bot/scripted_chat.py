"""A chat endpoint without a model, for demos and tests: real HTTP, real server-sent events.

It answers what it was given, in turns, word by word at the speed of a language model.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

ANSWERS = (
    "Good morning. We are open until six today. On Saturdays we close at two.",
    "Of course. You can bring it back within thirty days. Please keep the receipt.",
    "I have written that down. Somebody will call you this afternoon. Is there anything else?",
)


@dataclass(slots=True)
class ScriptedChat:
    """The endpoint: `app` is what a server runs, `asked` what it was asked."""

    answers: Sequence[str] = ANSWERS
    first_seconds: float = 0.25  # until the first word, as a model reads the question
    words_per_second: float = 30.0
    asked: list[list[dict[str, str]]] = field(default_factory=list)

    def app(self) -> Starlette:
        turns = itertools.cycle(self.answers)

        async def complete(request: Request) -> Response:
            wish = await request.json()
            if not wish.get("stream"):
                return JSONResponse({"error": {"message": "only streams"}}, status_code=400)
            self.asked.append(wish["messages"])
            return StreamingResponse(self._words(next(turns)), media_type="text/event-stream")

        return Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])

    async def _words(self, answer: str) -> AsyncIterator[str]:
        await asyncio.sleep(self.first_seconds)
        for word in answer.split():
            piece = {"choices": [{"index": 0, "delta": {"content": f"{word} "}}]}
            yield f"data: {json.dumps(piece)}\n\n"
            await asyncio.sleep(1 / self.words_per_second)
        yield "data: [DONE]\n\n"


@asynccontextmanager
async def chat_served(chat: ScriptedChat) -> AsyncIterator[str]:
    """Serve it on a free port of loopback; give its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(chat.app(), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # they are ours
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await serving
        listening.close()
