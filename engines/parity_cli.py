"""Every runtime here against torch float32, over streams of many chunks through the engine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from engines.avatar_engine import AvatarEngine
from engines.bench_cli import BundlesOption, RuntimesOption, VariantsOption
from engines.bench_variants import (
    Entry,
    Variant,
    bench_scene,
    line_up,
    parse_variant,
    pick_size,
)
from engines.bundle import Bundle, open_bundle
from engines.command_line import SizeOption, ThreadsOption, errors_in_one_line
from engines.errors import ArtifactError
from engines.machine_limits import processor, program_commit
from engines.manifest import FPS
from engines.parity import Drift, Rolled, TappedRuntime, drift, roll, voices
from engines.runtimes.choice import RuntimeName, default_threads, start, this_machine
from engines.scene.scene import Scene
from engines.stream import AvatarStream

REFERENCE: RuntimeName = "torch-eager"
ON_A_CPU: tuple[RuntimeName, ...] = ("onnxruntime", "openvino", "torch-eager")
SEED = 3


def parity(  # noqa: PLR0913  # a command's options are its arguments
    against: Annotated[
        Path,
        typer.Option(help="Bundle of the same weights, --target torch --quantize fp32."),
    ],
    bundle: BundlesOption = None,
    runtime: RuntimesOption = None,
    variant: VariantsOption = None,
    chunks: Annotated[int, typer.Option(min=2, help="Chunks of the stream.")] = 50,
    people: Annotated[int | None, typer.Option(help="Default: two, or what there is.")] = None,
    size: SizeOption = None,
    threads: ThreadsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare runtimes with torch float32; exit code 1 when one is beyond its bound."""
    with errors_in_one_line():
        threads = default_threads() if threads is None else threads
        reference = _float32_programs(open_bundle(against))
        asked = [parse_variant(text) for text in (*(runtime or ()), *(variant or ()))]
        field = line_up(bundle or (), asked or [Variant(name) for name in _installed()])
        wanted = pick_size(reference, people, size)
        scene = bench_scene(reference, wanted)
        expected, about, _ = _rolled(reference, Variant(REFERENCE), scene, threads, chunks)
        found = [_drift(entry, scene, threads, expected) for entry in field.entries]
    report = {
        "reference": f"{reference.manifest.name}, {about}",
        "size": wanted.key,
        "chunks": chunks,
        "window_frames": reference.manifest.window_frames,
        "processor": processor(),
        "commit": program_commit(),
        "skipped": list(field.skipped),
        "variants": [dataclasses.asdict(each) for each in found],
    }
    lines = _lines(found, field.skipped, report)
    typer.echo(json.dumps(report) if as_json else "\n".join(lines))
    if not all(each.is_met for each in found):
        raise typer.Exit(1)


def _installed() -> Iterator[RuntimeName]:
    packages = this_machine().packages
    yield from (name for name in ON_A_CPU if name.partition("-")[0] in packages)


def _float32_programs(bundle: Bundle) -> Bundle:
    """Refuse a reference that is none.

    Raises:
        ArtifactError: when a network of it is not a torch program in float32.
    """
    for entry in bundle.manifest.networks:
        if (entry.format, entry.precision) != ("torch", "fp32"):
            raise ArtifactError(
                f"--against {bundle.folder}: {entry.key} is {entry.format} {entry.precision}; "
                "export the same weights with --target torch --quantize fp32"
            )
    return bundle


def _rolled(
    bundle: Bundle, variant: Variant, scene: Scene, threads: int, chunks: int
) -> tuple[list[Rolled], str, dict[str, str]]:
    """Roll a stream; give its chunks, what made them and at which precisions."""
    if variant.runtime is None:
        raise ArtifactError("parity wants runtimes by name")
    tapped = TappedRuntime(start(variant.runtime, threads))
    seconds = (chunks + 2) * bundle.manifest.chunk_video_frames / FPS + 1
    with (
        AvatarEngine(bundle, tapped, variant.precision) as engine,
        AvatarStream(engine, scene, seed=SEED) as stream,
    ):
        for seat in range(scene.size.people):
            stream.join(seat)
        said = voices(scene.size.people, seconds, SEED)
        rolled = list(roll(stream, tapped.latents, said, chunks))
        precisions = {str(k): v for k, v in engine.precisions(scene.size).items()}
        return rolled, tapped.describe(), precisions


def _drift(entry: Entry, scene: Scene, threads: int, expected: list[Rolled]) -> Drift:
    rolled, about, precisions = _rolled(entry.bundle, entry.variant, scene, threads, len(expected))
    return drift(entry.name, about, precisions, iter(rolled), expected)


def _lines(
    found: list[Drift], skipped: tuple[str, ...], report: dict[str, object]
) -> Iterator[str]:
    yield (
        f"against {report['reference']}; {report['size']}, {report['chunks']} chunks, a window of "
        f"{report['window_frames']} latent frames; {report['processor']}; commit {report['commit']}"
    )
    yield "| variant | precisions | latents, worst | pixels, worst | growth | allowed | |"
    yield "|---|---|---|---|---|---|---|"
    for each in found:
        kinds = {each.precision[role] for role in ("dit", "vae_decoder") if role in each.precision}
        yield (
            f"| {each.variant} | {', '.join(sorted(kinds))} | {max(each.latent_l2):.1e} | "
            f"{max(each.pixel_l2):.1e} | {each.growth:.2f} | {each.bound:g} | "
            f"{'met' if each.is_met else 'MISSED'} |"
        )
    yield from (f"{each.variant}: {each.runtime}" for each in found)
    yield from (f"skipped: {line}" for line in skipped)
