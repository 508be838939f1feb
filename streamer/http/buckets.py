"""Token buckets: how often a stranger may ask. The clock is an argument; state is bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A bucket's size and how fast it fills."""

    per_second: float
    burst: float

    def __post_init__(self) -> None:
        if not self.per_second > 0 or not self.burst >= 1:
            raise ValueError(
                f"a rate needs per_second > 0 and burst >= 1, got {self.per_second} and "
                f"{self.burst}"
            )


@dataclass(slots=True)
class Bucket:
    """Tokens left at a time. One owner."""

    rate: Rate
    tokens: float
    at: float  # seconds of the clock that is used with it

    @classmethod
    def full(cls, rate: Rate, at: float) -> Bucket:
        return cls(rate, rate.burst, at)

    def take(self, at: float, amount: float = 1.0) -> float:
        """Take tokens and return 0, or take none and return the seconds until they are there."""
        grown = self.tokens + max(0.0, at - self.at) * self.rate.per_second
        self.tokens, self.at = min(self.rate.burst, grown), max(at, self.at)
        if self.tokens < amount:
            return (amount - self.tokens) / self.rate.per_second
        self.tokens -= amount
        return 0.0


class BucketTable:
    """A bucket for each key, such as an address.

    Bounded: beyond `most_keys` the key that asked longest ago is forgotten, and would begin with a
    full bucket. `refused` counts.
    """

    def __init__(self, rate: Rate, now: Callable[[], float], most_keys: int = 20_000) -> None:
        self._rate = rate
        self._now = now
        self._most_keys = most_keys
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()
        self.refused = 0

    def take(self, key: Hashable, amount: float = 1.0) -> float:
        """Take tokens of a key and return 0, or take none and return the seconds to wait."""
        at = self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket.full(self._rate, at)
            if len(self._buckets) > self._most_keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        wait = bucket.take(at, amount)
        self.refused += wait > 0
        return wait

    def __len__(self) -> int:
        return len(self._buckets)
