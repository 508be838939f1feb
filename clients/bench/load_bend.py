"""Where a server bends under load, and why: which figure left its bound first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clients.bench.load_steps import JOIN_LIMIT_S, Step

FPS = 25.0
LEAST_SHARE = 0.9  # of the frame rate
MOST_LAG_MS = 20.0
MOST_CLIENT_CORES = 0.9  # of one core, which is all that one Python process has
MOST_STARVED = 0.1  # of the time; on a machine with a free core it is one or two percent
FULL_SHARE = 0.95  # of a machine: nobody gets a core at once any more


@dataclass(frozen=True, slots=True)
class Bound:
    """One figure and how far it may go."""

    name: str
    label: str
    read: Callable[[Step], float | None]
    limit: float
    is_least: bool
    form: str  # how a value is written

    def is_out(self, step: Step) -> bool:
        """Say whether a step is beyond the bound; a figure that nobody told is within."""
        value = self.read(step)
        if value is None:
            return False
        return value < self.limit if self.is_least else value > self.limit

    def told(self, step: Step) -> str:
        value = self.read(step)
        than = "at least" if self.is_least else "at most"
        shown = "unknown" if value is None else self.form.format(value)
        return f"{self.label} {shown} (bound: {than} {self.form.format(self.limit)})"


# Causes before effects: of those that leave together, the first is the reason.
BOUNDS = (
    Bound(
        "client_cpu",
        "the busiest process of clients took",
        lambda step: step.busiest_client_cores,
        MOST_CLIENT_CORES,
        False,
        "{:.2f} of a core",
    ),
    Bound(
        "real_time_factor",
        "the server's real-time factor",
        lambda step: None if step.server is None else step.server.real_time_factor,
        1.0,
        False,
        "{:.2f}",
    ),
    Bound(
        "loop_lag",
        "the server's loop lag p99",
        lambda step: None if step.server is None else step.server.lag_p99_ms,
        MOST_LAG_MS,
        False,
        "{:.0f} ms",
    ),
    Bound(
        "join",
        "join time p95",
        lambda step: step.join_p95_s,
        JOIN_LIMIT_S,
        False,
        "{:.2f} s",
    ),
    Bound(
        "frame_rate",
        "the median viewer's frame rate",
        lambda step: step.fps_p50,
        LEAST_SHARE * FPS,
        True,
        "{:.1f}/s",
    ),
)


# No figure that a viewer feels, so nothing bends by it alone; but when something bends, it is why.
STARVED = Bound(
    "no_core",
    "the server could have run and had no core",
    lambda step: step.server_starved_share,
    MOST_STARVED,
    False,
    "{:.0%} of the time",
)
WHO = {"client_cpu": "The clients bend first", "no_core": "The machine bends first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend:
    """Where it bends. `figure` is empty when it does not."""

    figure: str
    step: int | None  # counted from 0
    viewers: int
    value: float | None
    bound: float | None
    together: tuple[str, ...]  # other figures that left in the same step
    is_machine_full: bool
    sentence: str


def find_bend(steps: Sequence[Step]) -> Bend:
    """Find the first step in which a figure is beyond its bound and, if there is one, in the next.

    One step alone, between two that are within, is chance.
    """
    for n in range(len(steps)):
        if out := [bound for bound in BOUNDS if _leaves(bound, steps[n:])]:
            if STARVED.is_out(steps[n]):
                out.insert(out[0].name == "client_cpu", STARVED)
            return _bend(steps, n, out)
    last = steps[-1]
    return Bend(
        figure="",
        step=None,
        viewers=last.viewers,
        value=None,
        bound=None,
        together=(),
        is_machine_full=last.machine_share > FULL_SHARE,
        sentence=_straight(steps),
    )


def _leaves(bound: Bound, steps: Sequence[Step]) -> bool:
    """Say whether a figure is beyond its bound, and still is when it is told again, if ever."""
    told = [step for step in steps[1:] if bound.read(step) is not None]
    return bound.is_out(steps[0]) and (not told or bound.is_out(told[0]))


def _bend(steps: Sequence[Step], n: int, out: Sequence[Bound]) -> Bend:
    step, first = steps[n], out[0]
    is_full = step.machine_share > FULL_SHARE
    parts = [f"{WHO.get(first.name, 'It bends')} at {crowd(step)}: {first.told(step)}"]
    if len(out) > 1:
        parts.append(f"together with {' and '.join(bound.told(step) for bound in out[1:])}")
    if first.name == "client_cpu":
        parts.append("so this says nothing about the server: let them run in more processes")
    if is_full:
        parts.append(_full(step))
    return Bend(
        figure=first.name,
        step=n,
        viewers=step.viewers,
        value=first.read(step),
        bound=first.limit,
        together=tuple(bound.name for bound in out[1:]),
        is_machine_full=is_full,
        sentence=_sentence(parts, steps),
    )


def _straight(steps: Sequence[Step]) -> str:
    most = max(steps, key=lambda step: step.viewers)
    parts = [f"It does not bend: up to {crowd(most)} every figure stays within its bound"]
    values = [step.fps_p50 for step in steps if step.fps_p50 is not None]
    if values:
        parts.append(f"the median viewer's frame rate was {min(values):.1f}/s at least")
    else:
        parts[0] = "Nothing can be said: nobody saw a picture"
    if any(step.server is None for step in steps):
        parts.append("the server's own figures could not be read")
    return _sentence(parts, steps)


def _sentence(parts: list[str], steps: Sequence[Step]) -> str:
    turned_away: Counter[str] = Counter()
    for step in steps:
        turned_away.update(step.refused)
        turned_away.update(step.failed)
    if turned_away:
        listed = ", ".join(f"{count} times {why}" for why, count in turned_away.items())
        parts.append(f"turned away or lost: {listed}")
    return "; ".join(parts) + "."


def _full(step: Step) -> str:
    if step.others_cores is None or step.server_cores is None:
        return "this machine had no core free then"
    ours = step.server_cores + step.clients_cores
    advice = ", so measure again when it is free" if step.others_cores > ours else ""
    return (
        f"this machine had no core free then: server {step.server_cores:.2f}, "
        f"clients {step.clients_cores:.2f}, others {step.others_cores:.2f} cores{advice}"
    )


def crowd(step: Step) -> str:
    """Say who was there."""
    return (
        f"{_many(step.viewers, 'viewer')} and {_many(step.bots, 'bot')} in "
        f"{_many(step.rooms, 'room')}"
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
