"""Two rooms in one call of the transformer against one call each, on this CPU, taking turns."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from torch import Tensor

from export.dit import dit_network
from export.drafts import SLICE
from export.errors import ExportError, RequestError
from export.families.family import Family
from export.onnx_file import remove, write_onnx
from export.quantization import quantize_matmuls
from export.recipes import Recipe, recipe
from export.request import parse_size
from export.runners import OrtRunner
from export.shapes import ChunkShape
from export.weights import Weights
from models.errors import ModelError


class Timed(NamedTuple):
    """Medians in ms."""

    apart: float  # as many calls as rooms
    together: float  # one call

    @property
    def gain(self) -> float:
        """How many times faster one call is."""
        return self.apart / self.together


def batch(  # noqa: PLR0913 - a command line has as many options as it has
    preset: Annotated[str, typer.Option(help="As of parley export --list.")] = "studio",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHTxPEOPLE.")] = "448x256x2",
    rooms: Annotated[int, typer.Option(min=2, help="In one call.")] = 2,
    quantize: Annotated[str, typer.Option(help="fp32 or int8.")] = "int8",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="To take the median of.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure whether ONNX Runtime gains from rooms batched into one call."""
    try:
        if quantize not in {"fp32", "int8"}:
            raise RequestError(f"--quantize {quantize} is neither fp32 nor int8")
        chosen = recipe(preset)
        shape = chosen.shape(parse_size(size))
        with tempfile.TemporaryDirectory(prefix="parley-batch-") as scratch:
            runners = [
                _runner(chosen, replace(shape, batch=count), quantize, Path(scratch), threads)
                for count in (1, rooms)
            ]
            timed = measure(runners[0], runners[1], rooms, rounds)
    except (ExportError, ModelError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    report = {"preset": preset, "size": size, "rooms": rooms, "precision": quantize}
    report |= {"threads": threads, "apart_ms": timed.apart, "together_ms": timed.together}
    report |= {"gain": round(timed.gain, 3)}
    sentence = (
        f"{preset} {size} {quantize}, {threads} threads: {rooms} calls {timed.apart:.1f} ms, one "
        f"call for all {timed.together:.1f} ms, {timed.gain:.2f} times as fast"
    )
    typer.echo(json.dumps(report) if as_json else sentence)


class Ready(NamedTuple):
    """A transformer and inputs for it."""

    run: OrtRunner
    given: Mapping[str, Tensor]


def _runner(chosen: Recipe, shape: ChunkShape, precision: str, folder: Path, threads: int) -> Ready:
    network = dit_network(_family(chosen, shape), shape, SLICE)
    path = write_onnx(network, folder)
    if precision == "int8":
        plain, path = path, path.with_name(f"int8-{shape.batch}.onnx")
        quantize_matmuls(plain, path)
        remove(plain)
    generator = torch.Generator().manual_seed(0)
    given = {
        spec.name: torch.ones(spec.shape, dtype=torch.bool)
        if spec.dtype == torch.bool
        else torch.randn(spec.shape, generator=generator)
        for spec in network.inputs
    }
    return Ready(OrtRunner(network, path, threads), given)


def _family(chosen: Recipe, shape: ChunkShape) -> Family:
    weights = Weights(directory=None, seed=1)
    for piece in chosen.pieces:
        if "dit" in piece.roles and (family := piece.build(weights.load, shape).family):
            return family
    raise RequestError(f"the preset {chosen.name} has no transformer")


def measure(one: Ready, all_at_once: Ready, rooms: int, rounds: int) -> Timed:
    """Time both ways in turn, so that a disturbed moment hits both alike."""
    spent: Sequence[list[float]] = ([], [])
    for number in range(rounds + 1):  # the first warms up
        for times, ready, calls in ((spent[0], one, rooms), (spent[1], all_at_once, 1)):
            start = time.perf_counter()
            for _ in range(calls):
                ready.run(ready.given)
            if number:
                times.append((time.perf_counter() - start) * 1e3)
    return Timed(*(statistics.median(times) for times in spent))
