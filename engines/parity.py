"""How far two runtimes drift apart over a long stream: the same room, voices and noise on both.

What is compared is what a stream is made of: each chunk's clean latent, as the decoder reads it,
and the pixels that leave. Every runtime lives on its own past, since an error that one call does
not show may grow from chunk to chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import SAMPLE_RATE, Flavor, Format, NetworkEntry, Role, TensorEntry
from engines.runtimes.base import Array, Buffer, Call, Network, Runtime
from engines.stream import AvatarStream

GROWTH_FACTOR = 1.5  # of the second half's mean over the first's; noise alone stays well below
NOTHING = 1e-6  # an error this small is rounding and may grow as it likes
# Allowed relative L2 of every chunk, by the coarsest precision of the networks that make it.
BOUNDS: Mapping[str, float] = {"fp32": 0.005, "bf16": 0.015, "int8": 0.03, "fp8": 0.06}
DECODER: Role = "vae_decoder"
LATENT = "latent"


class Rolled(NamedTuple):
    """One chunk of a stream."""

    latent: NDArray[np.float32]  # [B, C, F, h, w]
    frames: NDArray[np.uint8]  # [T, H, W, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Relative L2 errors of one runtime against the reference; field names are those of --json."""

    variant: str
    runtime: str
    precision: dict[str, str]
    chunks: int
    latent_l2: tuple[float, ...]  # one a chunk
    pixel_l2: tuple[float, ...]
    worst: float
    growth: float  # the larger of latents' and pixels'; 1 where nothing grows
    bound: float
    is_met: bool


class TappedRuntime:
    """A runtime that remembers from where the decoder reads its latents."""

    def __init__(self, runtime: Runtime) -> None:
        """Take over a runtime; whoever closes this closes it."""
        self._runtime = runtime
        self.latents: list[Buffer] = []

    @property
    def name(self) -> str:
        return self._runtime.name

    @property
    def formats(self) -> tuple[Format, ...]:
        return self._runtime.formats

    @property
    def flavors(self) -> tuple[Flavor, ...]:
        return self._runtime.flavors

    def describe(self) -> str:
        return self._runtime.describe()

    def allocate(self, spec: TensorEntry) -> Buffer:
        return self._runtime.allocate(spec)

    def load(self, path: Path, entry: NetworkEntry) -> Network:
        network = self._runtime.load(path, entry)
        return _Tapped(network, self.latents) if entry.role == DECODER else network

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        return self._runtime.record(work)

    def beside(self, first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
        return self._runtime.beside(first, second)

    def synchronize(self) -> None:
        self._runtime.synchronize()

    def close(self) -> None:
        self._runtime.close()


class _Tapped:
    """The decoder's network, its latent noted when it is bound."""

    def __init__(self, network: Network, latents: list[Buffer]) -> None:
        self._network = network
        self._latents = latents

    @property
    def entry(self) -> NetworkEntry:
        return self._network.entry

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> Call:
        self._latents[:] = [inputs[LATENT]]
        return self._network.bind(inputs, outputs)

    def close(self) -> None:
        self._network.close()


def voices(people: int, seconds: float, seed: int) -> NDArray[np.float32]:
    """Draw [P, n] of noise that swells and falls, each voice at its own pace."""
    draw = np.random.default_rng(seed)
    count = int(seconds * SAMPLE_RATE)
    noise = draw.standard_normal((people, count), np.float32)
    pace = 2 * np.pi * np.arange(1, people + 1)[:, None] / SAMPLE_RATE
    swell = np.maximum(0, np.sin(np.arange(count) * pace))
    drawn: NDArray[np.float32] = (noise * swell * 0.2).astype(np.float32)
    return drawn


def roll(
    stream: AvatarStream, latents: Sequence[Buffer], said: NDArray[np.float32], chunks: int
) -> Iterator[Rolled]:
    """Make chunks of a room whose seats are taken; `latents` are those of its TappedRuntime."""
    for number in range(chunks):
        first = number * stream.chunk_samples
        if number:
            first += stream.look_ahead_samples
        stop = (number + 1) * stream.chunk_samples + stream.look_ahead_samples
        for seat in range(stream.people):
            stream.push(seat, said[seat, first:stop])
        frames = stream.make_chunk().frames
        yield Rolled(latents[0].read().copy(), frames)


def compare(
    found: Iterator[Rolled], expected: Sequence[Rolled], precision: Mapping[str, str]
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Give the relative L2 of every chunk's latents and pixels, and the bound for them.

    Raises:
        InputError: when a precision is none that has a bound.
    """
    pairs = list(zip(found, expected, strict=True))
    unknown = sorted(set(precision.values()) - BOUNDS.keys())
    if unknown:
        raise InputError(f"no bound is known for the precision {unknown[0]}")
    return (
        tuple(relative_l2(a.latent, b.latent) for a, b in pairs),
        tuple(relative_l2(a.frames, b.frames) for a, b in pairs),
        max(BOUNDS[each] for each in precision.values()),
    )


def drift(
    variant: str,
    runtime: str,
    precision: Mapping[str, str],
    rolled: Iterator[Rolled],
    expected: Sequence[Rolled],
) -> Drift:
    """Compare a stream with the reference, chunk by chunk."""
    latents, pixels, bound = compare(rolled, expected, precision)
    # A NaN compares false, so it never passes.
    worst = float(np.max([*latents, *pixels]))
    grown = max(growth(latents), growth(pixels))
    return Drift(
        variant=variant,
        runtime=runtime,
        precision=dict(precision),
        chunks=len(latents),
        latent_l2=latents,
        pixel_l2=pixels,
        worst=worst,
        growth=grown,
        bound=bound,
        is_met=worst <= bound and grown <= GROWTH_FACTOR,
    )


def relative_l2(found: Array, expected: Array) -> float:
    """Give |found - expected| / |expected|, NaN where either holds one."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    return float(np.linalg.norm((a - b).ravel()) / max(float(np.linalg.norm(b.ravel())), 1e-12))


def growth(errors: Sequence[float]) -> float:
    """Give the mean error of the second half over that of the first."""
    half = len(errors) // 2
    if not half:
        return 1.0
    return max(sum(errors[-half:]), NOTHING) / max(sum(errors[:half]), NOTHING)
