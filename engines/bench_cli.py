"""A chunk's cost by parts, chunk percentiles, real-time factor and memory of a bundle's engine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, get_args

import numpy as np
import typer

from engines.bench import Contender, Result, result, run, synthetic_voices
from engines.bundle import Bundle
from engines.command_line import (
    BundleOption,
    RuntimeOption,
    SizeOption,
    ThreadsOption,
    errors_in_one_line,
    find_bundle,
    start_engine,
)
from engines.errors import InputError
from engines.machine_limits import measure_cpu, peak_memory_mib, processor
from engines.manifest import SAMPLE_RATE
from engines.runtimes.choice import RuntimeName, default_threads
from engines.scene.boxes import Box
from engines.scene.scene import Caption, Scene, build_scene
from engines.scene.store import ready_scene
from engines.stream import AvatarStream

VOICE_SECONDS = 4.0
WARM_UP_CHUNKS = 5


def engine(  # noqa: PLR0913  # a command's options are its arguments
    bundle: BundleOption = None,
    people: Annotated[int | None, typer.Option(help="Default: two, or what there is.")] = None,
    size: SizeOption = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. Default: bundle's.")] = None,
    runtime: RuntimeOption = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUNTIME[:PRECISION][@STEPS]",
            help="Several of these take turns, chunk by chunk, instead of --runtime.",
        ),
    ] = None,
    threads: ThreadsOption = None,
    chunks: Annotated[int, typer.Option(min=1, help="Chunks to measure.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a bundle's engine on this machine."""
    with errors_in_one_line(), ExitStack() as stack:
        opened = find_bundle(bundle)
        scene = bench_scene(opened, people, size)
        asked = [Variant(runtime, None, steps)] if not variant else map(parse_variant, variant)
        contenders = [
            stack.enter_context(_contender(opened, scene, each, threads)) for each in asked
        ]
        run(contenders, chunks, WARM_UP_CHUNKS)
        limits = measure_cpu()
        results = [result(each, scene, limits) for each in contenders]
        report = {
            **dataclasses.asdict(results[0]),
            "variants": [dataclasses.asdict(each) for each in results],
            "threads": default_threads() if threads is None else threads,
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "processor": processor(),
            "float32_gflops": round(limits.linear_flops_per_second / 1e9, 1),
            "bundle": opened.manifest.name,
            "commit": opened.manifest.source_commit,
        }
        typer.echo(json.dumps(report) if as_json else "\n".join(_lines(results, report)))


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the bundle; None is the default."""

    runtime: RuntimeName | None
    precision: str | None
    steps: int | None

    def __str__(self) -> str:
        name = self.runtime or "default"
        precision = f":{self.precision}" if self.precision else ""
        return f"{name}{precision}" + (f"@{self.steps}" if self.steps else "")


def parse_variant(text: str) -> Variant:
    """Read RUNTIME[:PRECISION][@STEPS].

    Raises:
        InputError: when the runtime is unknown or the steps are no number.
    """
    rest, _, steps = text.partition("@")
    name, _, precision = rest.partition(":")
    known: tuple[RuntimeName, ...] = get_args(RuntimeName)
    found = next((each for each in known if each == name), None)
    if found is None or (steps and not steps.isdecimal()):
        raise InputError(
            f"--variant {text} is not RUNTIME[:PRECISION][@STEPS]; runtimes: {', '.join(known)}"
        )
    return Variant(found, precision or None, int(steps) if steps else None)


def bench_scene(bundle: Bundle, people: int | None, size: str | None) -> Scene:
    """Take a ready scene where one fits, else draw gray people: pixels do not change the cost."""
    counts = [each.people for each in bundle.manifest.sizes]
    if people is None:
        people = 2 if 2 in counts else counts[0]
    sizes = bundle.sizes_for(people)
    wanted = sizes[0] if size is None else bundle.size(f"{size}x{people}")
    for entry in bundle.manifest.scenes:
        if entry.people == people and (scene := ready_scene(bundle, entry.name)).size == wanted:
            return scene
    column = wanted.width / people
    side = 0.5 * min(column, wanted.height)
    middle = (wanted.height - side) / 2
    boxes = tuple(
        Box(left, middle, left + side, middle + side)
        for left in (column * (person + 0.5) - side / 2 for person in range(people))
    )
    gray = np.full((wanted.height, wanted.width, 3), 128, np.uint8)
    return build_scene(gray, boxes, wanted, bundle.manifest.region, Caption(name="gray"))


@contextmanager
def _contender(
    bundle: Bundle, scene: Scene, variant: Variant, threads: int | None
) -> Iterator[Contender]:
    opened, about = start_engine(bundle, variant.runtime, threads, variant.precision)
    with opened, AvatarStream(opened, scene) as stream:
        for seat in range(scene.size.people):
            stream.join(seat)
        yield Contender(
            name=str(variant),
            about=about,
            engine=opened,
            stream=stream,
            steps=variant.steps,
            voices=synthetic_voices(scene.size.people, VOICE_SECONDS, SAMPLE_RATE),
        )


def _lines(results: list[Result], report: dict[str, object]) -> Iterator[str]:
    """Write a Markdown table."""
    first = results[0]
    yield (
        f"{report['bundle']}, {first.people} people, {first.size}, chunks of "
        f"{first.chunk_duration_ms:g} ms; {report['processor']}"
    )
    parts = list(first.parts_ms)
    yield f"| variant | steps | p50 | p95 | p99 | real-time factor | {' | '.join(parts)} | limit |"
    yield "|---" * (7 + len(parts)) + "|"
    for each in results:
        levels = " | ".join(f"{ms:.1f}" for ms in each.chunk_ms.values())
        costs = " | ".join(f"{each.parts_ms[part]:.1f}" for part in parts)
        yield (
            f"| {each.variant} | {each.steps} | {levels} | {each.real_time_factor:.3f} | {costs} | "
            f"{'?' if each.limit_ms is None else f'{each.limit_ms:.1f}'} |"
        )
    for each in results:
        yield f"{each.variant}: {each.runtime}"
    yield (
        f"times in ms; limit: float32 arithmetic at the {report['float32_gflops']} GFLOP/s that "
        f"this machine was measured at; peak memory of all variants together "
        f"{report['peak_memory_mib']} MiB"
    )
