"""The error of the method: the same measurement against an echo whose delay is known exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from clients.bench.echo import EchoedBurst
from clients.bench.echo_process import echoing
from clients.bench.errors import BenchError

DELAYS_MS = (150.0, 300.0, 600.0)
WANTED_MS = 20.0
MOST_SEND_LEG_MS = 500.0  # a burst that arrived later than that after it was sent is another one

Measure: TypeAlias = Callable[[Mapping[str, object]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """One known delay, and what was measured of it. All in milliseconds."""

    delay_ms: float
    bursts: int  # that the echo and the page both saw
    held_ms: float  # what the echo really waited, up to the flash on the wire
    lips_ms: float
    explained_ms: float  # of it on the ways there and back, by the page's own parts
    error_ms: float  # lips - held - explained
    to_echo_ms: float  # from the page's moment of sending to the packet's arrival
    ear_ms: float
    ear_held_ms: float


def calibrate(
    measure: Measure, bursts: int, delays_ms: Sequence[float] = DELAYS_MS
) -> list[Calibrated]:
    """Measure every delay; blocks for minutes.

    Raises:
        BenchError: when too little came back to say anything.
    """
    found = []
    for delay_ms in delays_ms:
        with echoing(delay_ms) as echo:
            wishes = {"play": f"{echo.url}/whep", "publish": f"{echo.url}/whip", "bursts": bursts}
            result = measure(wishes)
            found.append(compare(delay_ms, result, echo.bursts()))
    return found


def compare(
    delay_ms: float, result: Mapping[str, Any], echoed: Sequence[EchoedBurst]
) -> Calibrated:
    """Set what the page measured beside what the echo did.

    Raises:
        BenchError: when no burst was seen by both.
    """
    pairs = [(burst, echo) for burst in result["bursts"] if (echo := _match(burst, echoed))]
    seen = [(b, e) for b, e in pairs if b["lips_ms"] is not None and e.flash_sent is not None]
    heard = [(b, e) for b, e in pairs if b["ear_ms"] is not None and e.sound_sent is not None]
    if not seen or not heard:
        raise BenchError(f"of {len(result['bursts'])} bursts none came back from the echo")
    held = median((e.flash_sent or 0.0) - e.arrived for _, e in seen)
    lips = median(b["lips_ms"] for b, _ in seen)
    parts = result["parts_ms"]
    explained = sum(ms for name, ms in parts.items() if not name.endswith("unexplained"))
    return Calibrated(
        delay_ms=delay_ms,
        bursts=len(seen),
        held_ms=round(held, 1),
        lips_ms=round(lips, 1),
        explained_ms=round(explained, 1),
        error_ms=round(lips - held - explained, 1),
        to_echo_ms=round(median(e.arrived - b["sent_at"] for b, e in seen), 1),
        ear_ms=round(median(b["ear_ms"] for b, _ in heard), 1),
        ear_held_ms=round(median((e.sound_sent or 0.0) - e.arrived for _, e in heard), 1),
    )


def worst_error_ms(found: Sequence[Calibrated]) -> float:
    """Give the largest error of a delay."""
    return max(abs(each.error_ms) for each in found)


def slope_error_ms(found: Sequence[Calibrated]) -> float:
    """Give the largest error of a difference between two delays: no part of the ways is in it."""
    floors = [each.lips_ms - each.held_ms for each in found]
    return max(floors) - min(floors)


def _match(burst: Mapping[str, Any], echoed: Sequence[EchoedBurst]) -> EchoedBurst | None:
    late = [e for e in echoed if 0 <= e.arrived - burst["sent_at"] < MOST_SEND_LEG_MS]
    return min(late, key=lambda e: e.arrived, default=None)
