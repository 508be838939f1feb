"""How long to wait before trying to connect again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from clients.bot.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubling waits, a random half of each left out, so that many bots do not come at once."""

    first_seconds: float = 0.25
    longest_seconds: float = 5.0
    give_up_seconds: float = 60.0  # of trying; 0: a connection that is lost stays lost

    def __post_init__(self) -> None:
        if not 0 < self.first_seconds <= self.longest_seconds:
            raise InputError(
                f"want 0 < first <= longest, got {self.first_seconds} and {self.longest_seconds} s"
            )

    def waits(self, chance: random.Random) -> Iterator[float]:
        """Yield waits until their sum would be longer than `give_up_seconds`."""
        left, wait = self.give_up_seconds, self.first_seconds
        while left > 0:
            chosen = min(left, wait * chance.uniform(0.5, 1.0))
            yield chosen
            left -= chosen
            wait = min(2 * wait, self.longest_seconds)
