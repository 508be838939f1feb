"""A chunk's cost and its parts, for several variants that take turns on the same machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.manifest import NetworkEntry, Transformer
from engines.roofline import DitShape, Machine, dit_work, pass_seconds
from engines.runtimes.base import tensors
from engines.scene.scene import Scene
from engines.stream import AvatarStream

PERCENTILES = (50, 95, 99)


@dataclass(slots=True, kw_only=True)
class Contender:
    """One variant, its stream, and what was measured of it."""

    name: str
    about: str
    engine: AvatarEngine
    stream: AvatarStream
    steps: int | None
    voices: NDArray[np.float32]  # [P, n], said again and again
    chunk_ms: list[float] = field(default_factory=list)
    parts_ms: dict[str, list[float]] = field(default_factory=dict)
    said: int = 0

    def step(self, *, is_counted: bool) -> None:
        """Make one chunk."""
        stream = self.stream
        needed = stream.chunk_samples
        if not self.said:
            needed += stream.look_ahead_samples
        at = np.arange(self.said, self.said + needed) % self.voices.shape[1]
        self.said += needed
        for seat in stream.seated:
            stream.push(seat, self.voices[seat][at])
        start = time.perf_counter()
        chunk = stream.make_chunk(self.steps)
        if is_counted:
            self.chunk_ms.append((time.perf_counter() - start) * 1e3)
            for part, ms in chunk.parts_ms.items():
                self.parts_ms.setdefault(part, []).append(ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured of one variant; the field names are those of --json."""

    variant: str
    runtime: str
    people: int
    size: str
    steps: int
    chunks: int
    real_time_factor: float  # of the median chunk
    chunk_ms: dict[str, float]
    chunk_duration_ms: float
    parts_ms: dict[str, float]  # medians
    precision: dict[str, str]
    limit_ms: float | None  # least time of float32 arithmetic; None where work is not known


def run(contenders: Sequence[Contender], chunks: int, warm_up: int) -> None:
    """Let every variant make a chunk in turn, so that a disturbed moment hits all alike."""
    for number in range(warm_up + chunks):
        for contender in contenders:
            contender.step(is_counted=number >= warm_up)


def result(contender: Contender, scene: Scene, limits: Machine) -> Result:
    """Sum up one variant."""
    manifest = contender.engine.bundle.manifest
    steps = contender.steps or len(manifest.sampling.schedules[0])
    duration = contender.stream.chunk_seconds * 1e3
    levels = np.percentile(contender.chunk_ms, PERCENTILES)
    return Result(
        variant=contender.name,
        runtime=contender.about,
        people=scene.size.people,
        size=f"{scene.size.width}x{scene.size.height}",
        steps=steps,
        chunks=len(contender.chunk_ms),
        real_time_factor=round(float(levels[0]) / duration, 4),
        chunk_ms={
            f"p{percent}": round(float(level), 3)
            for percent, level in zip(PERCENTILES, levels, strict=True)
        },
        chunk_duration_ms=duration,
        parts_ms={
            part: round(float(np.median(values)), 3) for part, values in contender.parts_ms.items()
        },
        precision={str(k): v for k, v in contender.engine.precisions(scene.size).items()},
        limit_ms=_limit_ms(contender.engine, scene, steps, limits),
    )


def _limit_ms(engine: AvatarEngine, scene: Scene, steps: int, limits: Machine) -> float | None:
    networks = engine.networks(scene.size)
    transformer = engine.bundle.manifest.transformer
    if transformer is None:
        return None
    shape = dit_shape(transformer, networks["dit"].entry)
    seconds = (steps + 1) * pass_seconds(dit_work(shape), limits)
    for role in ("audio_encoder", "audio_kv", "vae_decoder"):
        seconds += (networks[role].entry.flops or 0) / limits.linear_flops_per_second
    return round(seconds * 1e3, 3)


def dit_shape(transformer: Transformer, dit: NetworkEntry) -> DitShape:
    """Read off what one pass of the DiT works on."""
    specs = tensors(dit.inputs)
    new, seen = specs["mask"].shape[2:]
    text = specs.get("text_k.0")
    voice = specs.get("audio_k.0")
    # audio_k is [B, ..., M, width]: what is neither batch nor width are tokens of all people.
    voices = int(np.prod(voice.shape[1:])) // transformer.width if voice else 0
    return DitShape(
        width=transformer.width,
        feed_forward=transformer.feed_forward,
        layers=transformer.layers,
        new_tokens=new,
        seen_tokens=seen,
        text_tokens=text.shape[2] if text else 0,
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
