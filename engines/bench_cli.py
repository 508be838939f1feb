"""A chunk's cost by parts, chunk percentiles, real-time factor and memory of a bundle's engine."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from engines.bench import Contender, Memory, Result, Soak, result, run, synthetic_voices
from engines.bench_variants import (
    Field,
    Variant,
    bench_scene,
    line_up,
    open_room,
    parse_variant,
    pick_size,
)
from engines.command_line import SizeOption, ThreadsOption, errors_in_one_line
from engines.errors import InputError
from engines.machine_limits import measure_cpu, peak_memory_mib, processor, program_commit
from engines.manifest import SAMPLE_RATE
from engines.roofline import Machine
from engines.runtimes.base import Runtime
from engines.runtimes.choice import default_threads
from engines.runtimes.torch_limits import measure_gpu
from engines.runtimes.torch_runtime import TorchRuntime
from engines.scene.scene import Scene

VOICE_SECONDS = 4.0
WARM_UP_CHUNKS = 5
CHUNKS = 60

BundlesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--bundle",
        envvar="PARLEY_BUNDLE",
        help="Folder of a bundle; several take turns.",
        metavar="DIR",
    ),
]
RuntimesOption = Annotated[
    list[str] | None,
    typer.Option("--runtime", help="Several take turns. Default: the fastest that fits."),
]
VariantsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="RUNTIME[:PRECISION][@STEPS]",
        help="Like --runtime, with a network's precision and steps; several take turns.",
    ),
]


def engine(  # noqa: PLR0913  # a command's options are its arguments
    bundle: BundlesOption = None,
    people: Annotated[int | None, typer.Option(help="Default: two, or what there is.")] = None,
    size: SizeOption = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. Default: bundle's.")] = None,
    runtime: RuntimesOption = None,
    variant: VariantsOption = None,
    threads: ThreadsOption = None,
    chunks: Annotated[int, typer.Option(min=1, help="Chunks to measure.")] = CHUNKS,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Of stream, instead of --chunks: a soak.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0.001, help="Like --seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a bundle's engine on this machine."""
    with errors_in_one_line(), ExitStack() as stack:
        field = line_up(bundle or (), read_variants(runtime, variant, steps))
        scenes = [bench_scene(e.bundle, pick_size(e.bundle, people, size)) for e in field.entries]
        manifest = field.entries[0].bundle.manifest
        length = _soak_seconds(seconds, hours)
        if length is not None:
            chunks = max(1, math.ceil(length * SAMPLE_RATE / manifest.chunk_samples))
        contenders = _open(stack, field, scenes, threads, chunks)
        memory = Memory(chunks)
        run(contenders, chunks, WARM_UP_CHUNKS, memory.look)
        limits = _Limits()
        watched = None if length is None else memory
        results = [
            result(each, scene, limits.of(each.engine.runtime), watched)
            for each, scene in zip(contenders, scenes, strict=True)
        ]
        report = {
            **dataclasses.asdict(results[0]),
            "variants": [dataclasses.asdict(each) for each in results],
            "skipped": list(field.skipped),
            "threads": default_threads() if threads is None else threads,
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "processor": processor(),
            "limits": limits.text(),
            "bundle": manifest.name,
            "bundle_commit": manifest.source_commit,
            "commit": program_commit(),
        }
        typer.echo(
            json.dumps(report) if as_json else "\n".join(_lines(results, field.skipped, report))
        )


def read_variants(
    runtimes: Sequence[str] | None, variants: Sequence[str] | None, steps: int | None
) -> list[Variant]:
    """Read --runtime and --variant; the default when neither is given.

    Raises:
        InputError: when one is none.
    """
    asked = [parse_variant(text) for text in (*(runtimes or ()), *(variants or ()))]
    return [
        dataclasses.replace(each, steps=each.steps or steps) for each in asked or [Variant(None)]
    ]


def _soak_seconds(seconds: float | None, hours: float | None) -> float | None:
    if seconds is not None and hours is not None:
        raise InputError("give --seconds or --hours, not both")
    return seconds if hours is None else hours * 3600


def _open(
    stack: ExitStack, field: Field, scenes: Sequence[Scene], threads: int | None, chunks: int
) -> list[Contender]:
    contenders = []
    for entry, scene in zip(field.entries, scenes, strict=True):
        opened = stack.enter_context(open_room(entry, scene, threads))
        contenders.append(
            Contender(
                name=entry.name,
                about=opened.about,
                engine=opened.engine,
                stream=opened.stream,
                steps=entry.variant.steps,
                voices=synthetic_voices(scene.size.people, VOICE_SECONDS, SAMPLE_RATE),
                planned=chunks,
            )
        )
    return contenders


class _Limits:
    """What the CPU and the GPU can do, each measured once, when it is first asked for."""

    def __init__(self) -> None:
        self._known: dict[str, Machine] = {}

    def of(self, runtime: Runtime) -> Machine:
        is_on_gpu = isinstance(runtime, TorchRuntime) and runtime.is_on_gpu
        name = "GPU, bfloat16" if is_on_gpu else "CPU, float32"
        if name not in self._known:
            self._known[name] = measure_gpu() if is_on_gpu else measure_cpu()
        return self._known[name]

    def text(self) -> str:
        """Say what was measured."""
        return "; ".join(
            f"{name}: {machine.linear_flops_per_second / 1e12:.3g} TFLOP/s, "
            f"{machine.bytes_per_second / 1e9:.3g} GB/s"
            for name, machine in self._known.items()
        )


def _lines(
    results: list[Result], skipped: Sequence[str], report: dict[str, object]
) -> Iterator[str]:
    """Write Markdown tables and what they need to be understood."""
    first = results[0]
    yield (
        f"{report['bundle']}, {first.people} people, {first.size}, chunks of "
        f"{first.chunk_duration_ms:g} ms; {report['processor']}, {report['threads']} threads; "
        f"commit {report['commit']}, bundle of {report['bundle_commit']}"
    )
    parts = list(first.parts_ms)
    head = ["variant", "steps", "p50", "p95", "p99", "real-time factor", *parts, "first", "limit"]
    yield f"| {' | '.join(head)} | % of limit |"
    yield "|---" * (len(head) + 1) + "|"
    for each in results:
        levels = " | ".join(f"{ms:.1f}" for ms in each.chunk_ms.values())
        costs = " | ".join(f"{each.parts_ms.get(part, 0):.1f}" for part in parts)
        limit = "? | ?" if each.limit_ms is None else f"{each.limit_ms:.1f} | {each.limit_percent}"
        yield (
            f"| {each.variant} | {each.steps} | {levels} | {each.real_time_factor:.3f} | {costs} | "
            f"{each.first_chunk_ms:.1f} | {limit} |"
        )
    for each in results:
        yield f"{each.variant}: {each.runtime}"
        if each.soak is not None:
            yield _soak_line(each.variant, each.soak)
    yield from (f"skipped: {line}" for line in skipped)
    yield (
        f"times in ms; limits as measured here: {report['limits']}; 8-bit arithmetic may pass "
        f"100 %; peak memory of all variants together {report['peak_memory_mib']} MiB"
    )


def _soak_line(name: str, soak: Soak) -> str:
    return (
        f"{name}, {soak.stream_seconds:g} s of stream: chunk {soak.chunk_ms_start:.1f} to "
        f"{soak.chunk_ms_end:.1f} ms ({soak.chunk_growth_percent:+.1f} %), memory "
        f"{soak.memory_start_mib:.1f} to {soak.memory_end_mib:.1f} MiB "
        f"({soak.memory_growth_percent:+.1f} %)"
    )
