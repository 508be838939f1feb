"""What a load bench will do: which client comes when, and where each step ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from clients.bench.load_errors import LoadError

Kind = Literal["viewer", "bot"]
MOST_STEPS = 8  # of the ramp: few enough that a window holds a 99th percentile
LEAST_STEP_S = 2.0
CLIENTS_PER_PROCESS = 16  # a viewer costs one or two percent of a core


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The command's options, without the token: that is in no report."""

    url: str
    rooms: int
    viewers: int  # of each room
    bots: int  # of each room
    ramp_s: float
    hold_s: float  # after the last one has come
    processes: int
    scene: str  # empty: the first that has enough people

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LoadError(f"--url is http://host:port or https://host, got {self.url!r}")

    @property
    def clients(self) -> int:
        return self.rooms * (self.viewers + self.bots)


class Arrival(NamedTuple):
    """One client that comes."""

    at_s: float  # after the beginning
    kind: Kind
    room: int
    seat: int  # of a bot; 0 for a viewer


class Span(NamedTuple):
    """One step: a stretch of the ramp, or the time after it."""

    begins_s: float
    ends_s: float
    is_hold: bool


def processes_for(clients: int, cores: int) -> int:
    """Say how many processes the clients run in, where nobody said it."""
    return max(1, min(cores, math.ceil(clients / CLIENTS_PER_PROCESS)))


def arrivals(plan: LoadPlan) -> list[Arrival]:
    """Give the clients in the order they come, evenly spread over the ramp.

    Room after room, so that the ramp shows what another room costs, too. The first viewer of a room
    comes before its bots: nobody speaks where nobody watches.
    """
    order = [
        (kind, room, seat)
        for room in range(plan.rooms)
        for kind, seat in (
            ("viewer", 0),
            *(("bot", seat) for seat in range(plan.bots)),
            *(("viewer", 0) for _ in range(plan.viewers - 1)),
        )
    ]
    gap = plan.ramp_s / len(order)
    return [
        Arrival(n * gap, "bot" if kind == "bot" else "viewer", room, seat)
        for n, (kind, room, seat) in enumerate(order)
    ]


def spans(plan: LoadPlan) -> list[Span]:
    """Cut the ramp into steps of equal length; what follows it is the last step."""
    count = min(MOST_STEPS, plan.clients, math.floor(plan.ramp_s / LEAST_STEP_S))
    length = plan.ramp_s / count if count else 0.0
    ramp = [Span(n * length, (n + 1) * length, False) for n in range(count)]
    return [*ramp, Span(ramp[-1].ends_s if ramp else 0.0, plan.ramp_s + plan.hold_s, True)]
