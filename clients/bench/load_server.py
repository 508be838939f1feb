"""The server's REST side: find a scene, open rooms, read figures, close the rooms."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2

from clients.bench.load_errors import LoadError
from clients.bench.load_metrics import Figures, read_figures
from clients.bench.load_viewer import PASSING, problem_code

HTTP_S = 30.0
CLOSING_S = 10.0
CARD = {"id", "people", "width", "height", "is_ready"}  # that a scene tells
TO_COME_IN = "make one with `parley token --role admin`, give it by --token or PARLEY_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every room shows."""

    id: str
    people: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A room that the server did not open, and said that it may later."""

    why: str  # status and code


class LoadServer:
    """One server. Use it by `async with`; every room that it opened is closed on the way out."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        self._http = httpx2.AsyncClient(
            base_url=self._url, headers=headers, timeout=HTTP_S, follow_redirects=True
        )
        self._rooms: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # A shield: whoever is cancelled a second time still closes the rooms.
            await asyncio.shield(self._close_rooms())
        finally:
            await self._http.aclose()

    async def scene(self, people: int, wanted: str = "") -> Scene:
        """Choose the scene: the wanted one, else the first with enough people.

        Raises:
            LoadError: when there is none, or the server says no.
        """
        answer = await self._ask("GET", "/scenes")
        cards = _json(answer, self._url)
        if not isinstance(cards, list) or not all(_is_card(card) for card in cards):
            raise LoadError(f"{self._url} is no Parley server: its /scenes lists no scenes")
        if not cards:
            raise LoadError(
                "the server has no scene: give it a bundle, or start it with --generator null"
            )
        ready = [card for card in cards if card["is_ready"]]
        names = ", ".join(f"{card['id']} ({card['people']})" for card in ready) or "none is ready"
        if wanted:
            ready = [card for card in ready if card["id"] == wanted]
            if not ready:
                raise LoadError(f"there is no scene {wanted!r} that is ready; there are: {names}")
        fitting = [card for card in ready if card["people"] >= people]
        if not fitting:
            raise LoadError(f"no scene has {people} seats for so many bots; scenes: {names}")
        card = fitting[0]
        return Scene(
            id=card["id"], people=card["people"], width=card["width"], height=card["height"]
        )

    async def open_room(self, scene: Scene) -> str | Refused:
        """Open a room; a server that is full is no error.

        Raises:
            LoadError: when the server says no for good.
        """
        answer = await self._ask("POST", "/rooms", json={"scene": scene.id}, passing=PASSING)
        if answer.status_code in PASSING:
            return Refused(f"{answer.status_code} {problem_code(answer)}")
        room = str(_json(answer, self._url)["id"])
        self._rooms.append(room)
        return room

    async def picture(self, scene: Scene) -> bytes | None:
        """Fetch the picture of a scene, a JPEG; None where it has none, as bars."""
        try:
            answer = await self._http.get(f"/scenes/{scene.id}/picture.jpg")
        except httpx2.HTTPError:
            return None
        return answer.content if answer.status_code == 200 else None

    async def figures(self) -> Figures | None:
        """Read /metrics; None where that is not allowed, or not answered."""
        try:
            answer = await self._http.get("/metrics")
        except httpx2.HTTPError:
            return None
        return read_figures(answer.text) if answer.status_code == 200 else None

    async def _ask(
        self, method: str, path: str, *, json: Any = None, passing: tuple[int, ...] = ()
    ) -> httpx2.Response:
        try:
            answer = await self._http.request(method, path, json=json)
        except httpx2.HTTPError as error:
            why = str(error) or type(error).__name__
            raise LoadError(f"{self._url} does not answer: {why}; is the server up?") from error
        if answer.is_success or answer.status_code in passing:
            return answer
        code = problem_code(answer)
        advice = f"; {TO_COME_IN}" if answer.status_code in (401, 403) else ""
        raise LoadError(f"{self._url}{path} said {answer.status_code} {code}{advice}")

    async def _close_rooms(self) -> None:
        rooms, self._rooms = self._rooms, []
        with contextlib.suppress(TimeoutError):  # a server that hangs ends them when idle
            async with asyncio.timeout(CLOSING_S):
                for room in rooms:
                    with contextlib.suppress(httpx2.HTTPError):  # a server that is gone lost them
                        await self._http.delete(f"/rooms/{room}")


def _is_card(card: object) -> bool:
    return isinstance(card, dict) and card.keys() >= CARD


def _json(answer: httpx2.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise LoadError(f"{url} is no Parley server: it answers without JSON") from error
