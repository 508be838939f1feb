"""How long a voice is held back so that packets arriving unevenly come out evenly: pure state.

The transit of a packet is its arrival minus its timestamp. The smallest one of the last seconds is
the path's own (unknown) delay; what packets have beyond it is jitter, and nearly all of that jitter
is waited for.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from streamer.media.types import WIRE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayConfig:
    """Limits of the delay, in seconds."""

    start: float = 0.04
    least: float = 0.01
    most: float = 0.2
    margin: float = 0.005  # above the measured jitter
    quantile: float = 0.97  # of the packets are waited for; the others may be late by a little
    window: float = 3.0  # over which jitter is measured: as long does a bad moment cost delay
    base_window: float = 10.0  # over which the smallest transit is sought
    outage: float = 0.3  # nothing arriving for this long is an outage, and no jitter

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.start <= self.most:
            raise ValueError(
                f"want 0 <= least <= start <= most delay, got {self.least}, {self.start}, "
                f"{self.most}"
            )


class PlayoutDelay:
    """Says which timestamp is to be heard at a moment. Owned by one jitter buffer."""

    def __init__(self, config: DelayConfig) -> None:
        self.config = config
        self.target = config.start  # seconds
        self._base: deque[tuple[float, float]] = deque()  # (arrival, transit), transit rising
        self._late: deque[tuple[float, float]] = deque()  # (arrival, transit beyond the base)
        self._last_arrival: float | None = None
        self._recovering_until = 0.0
        self._beyond = 0  # packets in a row that are later than any delay may be

    @property
    def has_begun(self) -> bool:
        return bool(self._base)

    @property
    def base(self) -> float:
        """The smallest transit, in seconds."""
        return self._base[0][1]

    def restart(self) -> None:
        """Forget the times of a sender that began anew; the jitter of its path remains."""
        self._base.clear()
        self._last_arrival = None
        self._beyond = 0

    def heard_at(self, now: float) -> int:
        """The timestamp that is due at `now`."""
        return round((now - self.base - self.target) * WIRE_RATE)

    def add(self, arrival: float, timestamp: int) -> None:
        """Take the times of one packet; timestamps are unwrapped."""
        transit = arrival - timestamp / WIRE_RATE
        self._note_outage(arrival)
        beyond = transit - self.base if self._base else 0.0
        if beyond > self.config.most:
            self._beyond += 1
            if self._beyond >= 50:  # a second of it: the path has become longer
                self._base.clear()
                self._beyond = 0
                beyond = 0.0
        else:
            self._beyond = 0
        self._keep_base(arrival, transit)
        # What was held up by an outage comes in a burst. It is late, but it says nothing about
        # the time after, and must not cost delay there.
        if arrival >= self._recovering_until:
            self._measure(arrival, max(0.0, beyond))

    def _note_outage(self, arrival: float) -> None:
        last, self._last_arrival = self._last_arrival, arrival
        if last is not None and arrival - last > self.config.outage:
            self._recovering_until = arrival + min(1.0, arrival - last)

    def _keep_base(self, arrival: float, transit: float) -> None:
        while self._base and self._base[-1][1] >= transit:
            self._base.pop()
        self._base.append((arrival, transit))
        while self._base[0][0] < arrival - self.config.base_window:
            self._base.popleft()

    def _measure(self, arrival: float, beyond: float) -> None:
        self._late.append((arrival, min(beyond, self.config.most)))
        while self._late[0][0] < arrival - self.config.window:
            self._late.popleft()
        if len(self._late) < 25:
            return  # too few to say; the delay stays where it is
        late = sorted(late for _, late in self._late)
        jitter = late[math.ceil(self.config.quantile * len(late)) - 1]
        self.target = min(self.config.most, max(self.config.least, jitter + self.config.margin))
