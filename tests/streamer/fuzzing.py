"""How many examples Hypothesis makes up: a few by default, always the same; many in a campaign."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

TIMES = float(os.environ.get("PARLEY_FUZZ", "0"))  # campaign: so many times as many, and new ones


def budget(examples: int) -> settings:
    """Settings of a test: so many examples, or that times PARLEY_FUZZ."""
    phases = (Phase.explicit, Phase.generate)
    return settings(
        max_examples=max(1, round(examples * (TIMES or 1))),
        deadline=None,
        derandomize=not TIMES,
        database=None,
        phases=(*phases, Phase.shrink) if TIMES else phases,
        suppress_health_check=list(HealthCheck),
    )
