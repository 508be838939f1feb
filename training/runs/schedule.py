"""How long a run may go on, and what its learning rate is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may use in all its sittings together; a bound that is None does not bind."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.minutes, self.steps) if bound is not None]
        if not bounds or min(bounds) <= 0:
            raise ConfigError(f"a budget needs minutes or steps above 0, got {self}")

    def used(self, steps: int, seconds: float) -> float:
        """Give the share that is used up: 0 at the start, 1 and more when the run is over."""
        shares = [0.0]
        if self.minutes is not None:
            shares.append(seconds / (self.minutes * 60))
        if self.steps is not None:
            shares.append(steps / self.steps)
        return max(shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Warm up, stay, and decay linearly to zero over the budget's last part."""

    warmup_steps: int
    decay_share: float  # of the budget, at its end

    def __post_init__(self) -> None:
        if self.warmup_steps < 0 or not 0 <= self.decay_share <= 1:
            raise ConfigError(
                f"warmup_steps={self.warmup_steps} must not be negative and "
                f"decay_share={self.decay_share} within 0..1"
            )

    def rate(self, steps_in_sitting: int, used: float) -> float:
        """Give the learning rate relative to its full value, 0..1.

        Every sitting warms up: a resumed run with a larger budget comes back from zero.
        """
        warm = min(1.0, (steps_in_sitting + 1) / (self.warmup_steps + 1))
        left = max(1.0 - used, 0.0)
        return warm * (min(1.0, left / self.decay_share) if self.decay_share else 1.0)
