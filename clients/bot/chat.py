"""A chat endpoint as OpenAI has it, `POST /v1/chat/completions`, streamed. Needs httpx2."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx2

from clients.bot.errors import BotError
from clients.bot.room_events import server_sent

SECONDS = 30.0


class ChatError(BotError):
    """The endpoint refuses, breaks off, or says what is no chat."""


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint:
    """Where it is, and which model."""

    url: str  # up to and with /v1
    model: str
    key: str = ""

    async def answer(self, turns: Sequence[Said]) -> AsyncIterator[str]:
        """Yield the answer in the pieces in which it comes.

        Raises:
            ChatError: when it does not come.
        """
        wish = {
            "model": self.model,
            "stream": True,
            "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        }
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        url = f"{self.url.rstrip('/')}/chat/completions"
        try:
            async with (
                httpx2.AsyncClient(timeout=SECONDS, headers=headers) as http,
                http.stream("POST", url, json=wish) as response,
            ):
                if response.is_error:
                    await response.aread()
                    raise ChatError(f"{url} said {response.status_code}: {response.text[:300]}")
                async for _, data in server_sent(response.aiter_lines()):
                    if data == "[DONE]":
                        return
                    piece = _piece(data)
                    if piece:
                        yield piece
        except httpx2.HTTPError as error:
            raise ChatError(f"{url} cannot be reached: {error}") from error


def _piece(data: str) -> str:
    try:
        choices = json.loads(data)["choices"]
        return str(choices[0]["delta"].get("content") or "") if choices else ""
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ChatError(f"the endpoint sent no piece of a chat: {data[:200]}") from error
