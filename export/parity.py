"""How far an exported network is from torch float32, over a rollout or one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from export.errors import ParityError
from export.rollout import RolledChunk

GROWTH_FACTOR = 1.5  # of the second half's mean over the first's; noise alone stays well below
NOTHING = 1e-6  # an error this small is rounding and may grow as it likes

BOUNDS: Mapping[str, float] = {"fp32": 0.005, "bf16": 0.015, "int8": 0.03, "fp8": 0.06}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """Relative L2 errors of one network against torch float32."""

    key: str
    precision: str
    relative_l2: tuple[float, ...]  # one a chunk, or one for a network without a stream
    bound: float

    @property
    def worst(self) -> float:
        return worst_of(self.relative_l2)

    @property
    def growth(self) -> float:
        """The mean error of the second half over that of the first; 1 where nothing grows."""
        half = len(self.relative_l2) // 2
        if half == 0:
            return 1.0
        early, late = self.relative_l2[:half], self.relative_l2[-half:]
        return max(sum(late), NOTHING) / max(sum(early), NOTHING)

    @property
    def is_met(self) -> bool:
        # A NaN compares false, so it never passes.
        return self.worst <= self.bound and self.growth <= GROWTH_FACTOR

    def __str__(self) -> str:
        chunks = f" over {len(self.relative_l2)} chunks" if len(self.relative_l2) > 1 else ""
        return (
            f"{self.key} {self.precision}: relative L2 {self.worst:.5f}{chunks}, allowed "
            f"{self.bound:g}; growth {self.growth:.2f}, allowed {GROWTH_FACTOR:g}"
        )


def relative_l2(found: Tensor, expected: Tensor) -> float:
    """Give |found - expected| / |expected|, NaN where either holds one."""
    a, b = found.double(), expected.double()
    return float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp(min=1e-12))


def compare_rolls(
    key: str,
    precision: str,
    found: Iterable[RolledChunk],
    expected: Iterable[RolledChunk],
    bound: float | None = None,
) -> ParityReport:
    """Compare two streams chunk by chunk: the worse of clean latents and velocities counts."""
    errors = [
        max(relative_l2(a.x0, b.x0), relative_l2(a.velocities, b.velocities))
        for a, b in zip(found, expected, strict=True)
    ]
    return _report(key, precision, errors, bound)


def compare_outputs(
    key: str,
    precision: str,
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    bound: float | None = None,
) -> ParityReport:
    """Compare the outputs of one call; the worst tensor counts."""
    errors = [relative_l2(found[name], tensor) for name, tensor in expected.items()]
    return _report(key, precision, [worst_of(errors)], bound)


def require(report: ParityReport) -> None:
    """Refuse a network that differs too much.

    Raises:
        ParityError: when the worst chunk is beyond the bound, or errors grow.
    """
    if not report.is_met:
        raise ParityError(
            f"{report}; the bundle stays without it. Export at another precision, or look at the "
            "weights: NaN and outliers show here first"
        )


def _report(key: str, precision: str, errors: Sequence[float], bound: float | None) -> ParityReport:
    limit = BOUNDS[precision] if bound is None else bound
    return ParityReport(key=key, precision=precision, relative_l2=tuple(errors), bound=limit)


def worst_of(errors: Sequence[float]) -> float:
    """Give the largest error; NaN where there is one, which max() may lose."""
    return float("nan") if any(error != error for error in errors) else max(errors)
