"""Who is connected right now: sessions with unguessable names, counted by token and address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from streamer.http.fragments import Described
from streamer.http.guard import Caller
from streamer.http.identifiers import new_id
from streamer.http.problem import Code, Problem

Kind = Literal["whip", "whep", "join", "socket", "events"]
RETRY_SECONDS = 5.0
NO_OFFER = Described("", frozenset(), 0)  # of a session that is no WebRTC call
MOST_DEPARTED = 256
NONE_SUCH = "there is no such session; it may have ended"


class Closable(Protocol):
    """What holds a session open."""

    async def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Session:
    """One connection of somebody to a room. Owned by the table."""

    kind: Kind
    room: str
    seat: int | None
    caller: Caller
    id: str = field(default_factory=new_id)
    offer: Described = NO_OFFER
    candidates: int = 0  # so far, offer included

    @property
    def etag(self) -> str:
        """Never changes: we restart no ICE."""
        return f'"{self.id[:12]}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How many sessions there may be."""

    total: int
    per_owner: int
    per_address: int


class SessionTable:
    """All sessions. A place is taken before anything is built, so that parallel offers cannot
    pass a limit together, and is given back on every way out.
    """

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._sessions: dict[str, Session] = {}
        self._owners: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._departed: dict[str, Session] = {}  # said goodbye over their connection, oldest first

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    def count(self, kind: Kind) -> int:
        """Count the sessions of a kind."""
        return sum(session.kind == kind for session in self._sessions.values())

    def open(self, kind: Kind, room: str, seat: int | None, caller: Caller) -> Session:
        """Take a place for a session.

        Raises:
            Problem: when the server, the token or the address has as many as it may.
        """
        limits = self._limits
        if len(self._sessions) >= limits.total:
            detail = f"{limits.total} sessions are open; try again later"
            raise Problem(Code.FULL, detail, retry_after=RETRY_SECONDS)
        if caller.owner and self._owners[caller.owner] >= limits.per_owner:
            detail = f"this token has {limits.per_owner} sessions open; end one first"
            raise Problem(Code.TOO_MANY_SESSIONS, detail, retry_after=RETRY_SECONDS)
        if self._addresses[caller.address] >= limits.per_address:
            detail = f"this address has {limits.per_address} sessions open; end one first"
            raise Problem(Code.TOO_MANY_SESSIONS, detail, retry_after=RETRY_SECONDS)
        session = Session(kind, room, seat, caller)
        self._sessions[session.id] = session
        self._owners[caller.owner] += 1
        self._addresses[caller.address] += 1
        return session

    def close(self, session: Session) -> None:
        """Give the place back; a second time does nothing."""
        if self._sessions.pop(session.id, None) is None:
            return
        for counter, key in (
            (self._owners, session.caller.owner),
            (self._addresses, session.caller.address),
        ):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]

    def depart(self, session: Session) -> None:
        """Give the place back of a session whose client said goodbye over its connection.

        Browsers' clients do that first and send DELETE then. The newest are remembered for it; the
        oldest is forgotten when there are too many.
        """
        self.close(session)
        self._departed[session.id] = session
        if len(self._departed) > MOST_DEPARTED:
            del self._departed[next(iter(self._departed))]

    def forget_departed(self, session_id: str, kind: Kind, room: str) -> Session | None:
        """Give a session that its client's goodbye ended, once; None when there is none."""
        session = self._departed.get(session_id)
        if session is None or (session.kind, session.room) != (kind, room):
            return None
        return self._departed.pop(session_id)

    def has_departed(self, session_id: str, kind: Kind, room: str, seat: int | None) -> bool:
        """Say once whether a session ended by its client's goodbye; the second time it is gone."""
        session = self._departed.get(session_id)
        if session is None or session.seat != seat:
            return False
        return self.forget_departed(session_id, kind, room) is not None

    @contextmanager
    def opened(self, kind: Kind, room: str, seat: int | None, caller: Caller) -> Iterator[Session]:
        """Hold a place while the block runs."""
        session = self.open(kind, room, seat, caller)
        try:
            yield session
        finally:
            self.close(session)

    def find(self, session_id: str, kind: Kind, room: str, seat: int | None = None) -> Session:
        """Find a session by its whole URL.

        Raises:
            Problem: when there is none.
        """
        session = self.find_in_room(session_id, kind, room)
        if session.seat != seat:
            raise Problem(Code.NOT_FOUND, NONE_SUCH)
        return session

    def find_in_room(self, session_id: str, kind: Kind, room: str) -> Session:
        """Find a session whose URL does not name its seat.

        Raises:
            Problem: when there is none.
        """
        session = self._sessions.get(session_id)
        if session is None or (session.kind, session.room) != (kind, room):
            raise Problem(Code.NOT_FOUND, NONE_SUCH)
        return session
