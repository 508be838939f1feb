"""A chunk's cost and its parts, for several variants that take turns on the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.machine_limits import memory_mib
from engines.manifest import NetworkEntry, Transformer
from engines.roofline import DitShape, Machine, dit_work, pass_seconds
from engines.runtimes.base import tensors
from engines.scene.scene import Scene
from engines.stream import AvatarStream

PERCENTILES = (50, 95, 99)
SOAK_SHARE = 0.1  # of a long run: its first tenth is compared with its last
Times = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Contender:
    """One variant, its stream, and what was measured of it.

    The measured times take their memory at once: a soak that watches memory must not grow itself.
    """

    name: str
    about: str
    engine: AvatarEngine
    stream: AvatarStream
    steps: int | None
    voices: NDArray[np.float32]  # [P, n], said again and again
    planned: int  # chunks
    first_chunk_ms: float = 0.0
    chunk_ms: Times = field(init=False)
    parts_ms: dict[str, Times] = field(default_factory=dict)
    said: int = 0
    counted: int = 0

    def __post_init__(self) -> None:
        self.chunk_ms = np.full(self.planned, np.nan)

    def step(self, *, is_counted: bool) -> None:
        """Make one chunk."""
        stream = self.stream
        is_first = not self.said
        needed = stream.chunk_samples + (stream.look_ahead_samples if is_first else 0)
        at = np.arange(self.said, self.said + needed) % self.voices.shape[1]
        self.said += needed
        for seat in stream.seated:
            stream.push(seat, self.voices[seat][at])
        start = time.perf_counter()
        chunk = stream.make_chunk(self.steps)
        spent = (time.perf_counter() - start) * 1e3
        if is_first:
            self.first_chunk_ms = spent
        if is_counted:
            self.chunk_ms[self.counted] = spent
            for part, ms in chunk.parts_ms.items():
                if part not in self.parts_ms:
                    self.parts_ms[part] = np.full(self.planned, np.nan)
                self.parts_ms[part][self.counted] = ms
            self.counted += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """How a long run ended, beside how it began; growth in percent."""

    stream_seconds: float
    chunk_ms_start: float  # median of the first tenth
    chunk_ms_end: float
    chunk_growth_percent: float
    memory_start_mib: float  # of the process, all variants together, after the first tenth
    memory_end_mib: float
    memory_growth_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured of one variant; the field names are those of --json."""

    variant: str
    bundle: str
    runtime: str
    people: int
    size: str
    steps: int
    chunks: int
    real_time_factor: float  # of the median chunk
    chunk_ms: dict[str, float]
    chunk_duration_ms: float
    first_chunk_ms: float  # from voices to pictures, once the room is open
    parts_ms: dict[str, float]  # medians
    precision: dict[str, str]
    limit_ms: float | None  # the least time by the machine's limits; None where work is unknown
    limit_percent: float | None  # of the median chunk's time
    soak: Soak | None


class Memory:
    """What the process held after each chunk that is looked at."""

    def __init__(self, chunks: int) -> None:
        self._looked_at = max(0, int(chunks * SOAK_SHARE) - 1)
        self._last = chunks - 1
        self.start_mib = self.end_mib = 0.0

    def look(self, number: int) -> None:
        """Note the memory when chunk `number` ends the first tenth, or all."""
        if number == self._looked_at:
            self.start_mib = memory_mib()
        if number == self._last:
            self.end_mib = memory_mib()


def run(
    contenders: Sequence[Contender], chunks: int, warm_up: int, look: Callable[[int], None]
) -> None:
    """Let every variant make a chunk in turn, so that a disturbed moment hits all alike."""
    for number in range(warm_up + chunks):
        for contender in contenders:
            contender.step(is_counted=number >= warm_up)
        if number >= warm_up:
            look(number - warm_up)


def result(
    contender: Contender, scene: Scene, limits: Machine, memory: Memory | None = None
) -> Result:
    """Sum up one variant; with `memory`, of a soak."""
    manifest = contender.engine.bundle.manifest
    steps = contender.steps or len(manifest.sampling.schedules[0])
    duration = contender.stream.chunk_seconds * 1e3
    levels = np.percentile(contender.chunk_ms, PERCENTILES)
    limit = _limit_ms(contender.engine, scene, steps, limits)
    return Result(
        variant=contender.name,
        bundle=manifest.name,
        runtime=contender.about,
        people=scene.size.people,
        size=f"{scene.size.width}x{scene.size.height}",
        steps=steps,
        chunks=contender.counted,
        real_time_factor=round(float(levels[0]) / duration, 4),
        chunk_ms={
            f"p{percent}": round(float(level), 3)
            for percent, level in zip(PERCENTILES, levels, strict=True)
        },
        chunk_duration_ms=duration,
        first_chunk_ms=round(contender.first_chunk_ms, 3),
        parts_ms={
            part: round(float(np.median(values)), 3) for part, values in contender.parts_ms.items()
        },
        precision={str(k): v for k, v in contender.engine.precisions(scene.size).items()},
        limit_ms=limit,
        limit_percent=None if limit is None else round(100 * limit / float(levels[0]), 1),
        soak=None if memory is None else soak(contender, memory),
    )


def soak(contender: Contender, memory: Memory) -> Soak:
    """Compare the end of a long run with its beginning."""
    share = max(1, int(contender.counted * SOAK_SHARE))
    first, last = contender.chunk_ms[:share], contender.chunk_ms[-share:]
    start, end = float(np.median(first)), float(np.median(last))
    return Soak(
        stream_seconds=round(contender.counted * contender.stream.chunk_seconds, 2),
        chunk_ms_start=round(start, 3),
        chunk_ms_end=round(end, 3),
        chunk_growth_percent=_growth(start, end),
        memory_start_mib=round(memory.start_mib, 2),
        memory_end_mib=round(memory.end_mib, 2),
        memory_growth_percent=_growth(memory.start_mib, memory.end_mib),
    )


def _growth(start: float, end: float) -> float:
    return round(100 * (end - start) / start, 2) if start else 0.0


def _limit_ms(engine: AvatarEngine, scene: Scene, steps: int, limits: Machine) -> float | None:
    networks = engine.networks(scene.size)
    transformer = engine.bundle.manifest.transformer
    if transformer is None:
        return None
    shape = dit_shape(transformer, networks["dit"].entry)
    seconds = (steps + 1) * pass_seconds(dit_work(shape), limits)
    for role in ("audio_encoder", "audio_kv", "vae_decoder"):
        if role in networks:
            seconds += (networks[role].entry.flops or 0) / limits.linear_flops_per_second
    return round(seconds * 1e3, 3)


def dit_shape(transformer: Transformer, dit: NetworkEntry) -> DitShape:
    """Read off what one pass of the DiT works on."""
    specs = tensors(dit.inputs)
    new, seen = specs["mask"].shape[2:]
    text = specs.get("text_k.0")
    voice = specs.get("audio_k.0")
    # audio_k is [B, ..., M, width] or [B, ..., H, M, D]: what is neither batch nor width are
    # tokens of all people.
    voices = int(np.prod(voice.shape[1:])) // transformer.width if voice else 0
    return DitShape(
        width=transformer.width,
        feed_forward=transformer.feed_forward,
        layers=transformer.layers,
        new_tokens=new,
        seen_tokens=seen,
        text_tokens=int(np.prod(text.shape[1:])) // transformer.width if text else 0,
        voice_tokens=voices,
    )


def synthetic_voices(people: int, seconds: float, rate: int) -> NDArray[np.float32]:
    """Give [P, n] of noise in bursts: what is said costs the same as anything else."""
    draw = np.random.default_rng(0)
    count = int(seconds * rate)
    bursts = np.sin(np.arange(count) * (2 * np.pi * 2 / rate)) > 0
    noise: NDArray[np.float32] = draw.standard_normal((people, count), np.float32)
    noise *= np.float32(0.1) * bursts.astype(np.float32)
    return noise
