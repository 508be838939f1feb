"""Wan-size transformers on this GPU with random weights: fps, first frame, share of the limit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import torch
import typer

from export.errors import ExportError, RequestError
from export.gpu_bench.cases import PRECISIONS, SIZES, STEPS, Mode, grid
from export.gpu_bench.limits import Device, measure
from export.gpu_bench.networks import Window, known_models
from export.gpu_bench.running import Bench, Outcome, Plan
from export.running import source_commit

TOY_SIZES = ("64x32",)
SHARE_OF_A_CASE = 0.2  # of all the time, at most


def gpu(  # noqa: PLR0913 - a command line has as many options as it has
    model: Annotated[list[str] | None, typer.Option(help="1.3b, 14b; by default both.")] = None,
    size: Annotated[list[str] | None, typer.Option(help="WIDTHxHEIGHT; by default four.")] = None,
    mode: Annotated[list[Mode] | None, typer.Option(help="By default all.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="bf16, fp8; by default both.")] = None,
    steps: Annotated[list[int] | None, typer.Option(min=1, help="By default 4 and 2.")] = None,
    chunk_frames: Annotated[int, typer.Option(min=1, help="Latent frames of a chunk.")] = 3,
    window_frames: Annotated[int, typer.Option(min=1, help="Latent frames it looks back.")] = 6,
    chunks: Annotated[int, typer.Option(min=1, help="Measured of each part.")] = 10,
    minutes: Annotated[float, typer.Option(min=0.01, help="For everything.")] = 9.5,
    device: Annotated[str, typer.Option(help="cuda or cpu.")] = "cuda",
    toy: Annotated[bool, typer.Option("--toy", help="The same parts, tiny: to try this.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure Wan-size networks on this GPU, two people, within a time limit."""
    try:
        where = _device(device)
        models = known_models(is_toy=toy)
        chosen = [each.lower() for each in model or list(models)]
        if unknown := sorted(set(chosen) - models.keys()):
            raise RequestError(f"there is no model {unknown[0]}; there are {', '.join(models)}")
        cases = grid(
            chosen,
            size or (TOY_SIZES if toy else SIZES),
            mode or list(Mode),
            precision or PRECISIONS,
            steps or STEPS,
        )
    except ExportError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    limits = measure(where, is_toy=toy)
    plan = Plan(
        window=Window(chunk_frames, window_frames),
        chunks=chunks,
        total_seconds=minutes * 60,
        case_seconds=minutes * 60 * SHARE_OF_A_CASE,
        backend="aot_eager" if toy else "inductor",
    )
    bench = Bench(where, limits, plan)

    def tell(outcome: Outcome) -> None:
        typer.echo(_row(outcome), err=as_json)

    if not as_json:
        typer.echo("\n".join(_head(limits, plan)))
    outcomes = [
        outcome
        for name, group in groupby(cases, key=lambda case: case.model)
        for outcome in bench.run(models[name], list(group), tell)
    ]
    if as_json:
        typer.echo(json.dumps(_report(outcomes, limits, plan)))


def _device(name: str) -> torch.device:
    if name not in {"cuda", "cpu"}:
        raise RequestError(f"--device {name} is neither cuda nor cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError(
            "torch finds no GPU here; run this on a machine with one, or try it with "
            "--device cpu --toy"
        )
    return torch.device(name)


def _report(outcomes: Sequence[Outcome], limits: Device, plan: Plan) -> dict[str, object]:
    return {
        "device": limits.name,
        "torch": torch.__version__,
        "commit": source_commit(),
        "bf16_tflops": round(limits.bf16_flops / 1e12, 3),
        "fp8_tflops": round(limits.fp8_flops / 1e12, 3),
        "gb_per_second": round(limits.bytes_per_second / 1e9, 1),
        "chunk_frames": plan.window.chunk_frames,
        "window_frames": plan.window.window_frames,
        "cases": [asdict(each) for each in outcomes],
    }


def _head(limits: Device, plan: Plan) -> Iterator[str]:
    yield (
        f"{limits.name}, torch {torch.__version__}, commit {source_commit()}; measured here: "
        f"{limits.bf16_flops / 1e12:.3g} TFLOP/s bf16, {limits.fp8_flops / 1e12:.3g} fp8, "
        f"{limits.bytes_per_second / 1e9:.3g} GB/s; chunks of {plan.window.chunk_frames} latent "
        f"frames, a sink of 1 and a window of {plan.window.window_frames}; random weights"
    )
    yield (
        "| model | size | types | mode | passes | fps | chunk ms | passes ms | decode ms "
        "| first frame ms | % of limit | GiB |"
    )
    yield "|---" * 12 + "|"


def _row(outcome: Outcome) -> str:
    each = outcome
    start = f"| {each.model} | {each.size} | {each.precision} | {each.mode} | {each.steps}+1 |"
    if each.error is not None:
        return f"{start} {each.error} |"
    return (
        f"{start} {each.fps} | {each.chunk_ms} | {each.passes_ms} | {each.decode_ms} | "
        f"{each.first_frame_ms} | {each.limit_percent} | {each.memory_gib} |"
    )
