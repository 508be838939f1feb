"""Turn weights into a bundle: exported, quantized or compiled, each network held against torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from engines.manifest import ArtifactError, CellRule
from export.conversations import read_conversation
from export.errors import ExportError, RequestError
from export.estimate import estimate, require_space
from export.finishing import require_tools
from export.publishing import publish
from export.recipes import recipe, recipes
from export.request import ExportRequest, Target, parse_size
from export.running import run_export
from export.scenes import read_scenes
from export.tensorrt.check import CASES, check_case
from export.weights import Weights
from models.errors import ModelError

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
FEATHER = 0.12  # of a square, over which a cell fades into the picture
DEFAULT_PRECISION = {
    Target.ONNX: "int8",
    Target.OPENVINO: "fp32",  # trained weights miss the bound in bf16, where it is real
    Target.TENSORRT: "bf16",
    Target.TORCH: "bf16",
}


@app.callback()
def export_command(  # noqa: PLR0913 - a command line has as many options as it has
    context: typer.Context,
    preset: Annotated[str | None, typer.Option(help="What to export; see --list.")] = None,
    out: Annotated[Path | None, typer.Option(help="The bundle's folder.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Where published weights lie.")] = None,
    random_weights: Annotated[
        int | None, typer.Option(metavar="SEED", help="Random weights instead, for benches.")
    ] = None,
    target: Annotated[Target, typer.Option(help="What will run the bundle.")] = Target.ONNX,
    quantize: Annotated[
        str | None, typer.Option(help="fp32, int8, bf16 or fp8; by default the target's fastest.")
    ] = None,
    size: Annotated[
        list[str] | None, typer.Option(help="WIDTHxHEIGHTxPEOPLE; may be given several times.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="Only networks of these roles; no manifest then.")
    ] = None,
    gpu: Annotated[
        list[str] | None, typer.Option(help="For --target tensorrt: SM89, SM120, ... or any.")
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option(
            help="Timesteps, falling: 1000,500 by default. May be given several times, each of "
            "another length; the first is the bundle's default."
        ),
    ] = None,
    scenes: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of prepared scenes: they come with the bundle, and calibrate int8.",
        ),
    ] = None,
    parity_chunks: Annotated[
        int, typer.Option(min=1, help="Chunks rolled to compare with torch.")
    ] = 50,
    conversation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Utterances that come with the bundle, NUMBER-SPEAKER.ogg: 00-0.ogg, 01-1.ogg.",
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="Text that joins the model card: data, licenses, limits, figures."),
    ] = None,
    cell: Annotated[
        int | None,
        typer.Option(
            metavar="SIDE",
            help="Roll only the squares around faces, brought to this many pixels a side.",
        ),
    ] = None,
    reach: Annotated[
        float, typer.Option(help="With --cell: a square's side, in the longer side of a face.")
    ] = 1.6,
    memory: Annotated[
        bool,
        typer.Option(
            help="Whether a chunk sees the chunks before it, or the picture and its voices alone."
        ),
    ] = True,
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it needs, and stop.")
    ] = False,
    list_presets: Annotated[bool, typer.Option("--list", help="Name the presets.")] = False,
) -> None:
    """Export a preset's networks, verify each, and write the bundle's manifest."""
    if context.invoked_subcommand is not None:
        return
    if list_presets:
        typer.echo("\n".join(recipes()))
        return
    if preset is None or out is None or (weights is None) == (random_weights is None):
        raise typer.BadParameter("give --preset, --out, and --weights or --random-weights")
    try:
        request = ExportRequest(
            preset=preset,
            weights=Weights(directory=weights, seed=random_weights),
            target=target,
            precision=quantize or DEFAULT_PRECISION[target],
            out=out,
            sizes=tuple(parse_size(each) for each in size or ["448x256x2"]),
            roles=frozenset(role or ()),
            gpus=tuple(gpu or ()),
            parity_chunks=parity_chunks,
            schedules=tuple(_schedule(text) for text in steps or ["1000,500"]),
            scenes=() if scenes is None else read_scenes(scenes),
            conversations=tuple(read_conversation(each) for each in conversation or ()),
            card="" if card is None else _text(card),
            remembers=memory,
            cells=None if cell is None else CellRule(side=cell, reach=reach, feather=FEATHER),
        )
        _export(request, is_estimate=only_estimate)
    except ValidationError as error:
        typer.echo(f"Error: --cell {cell} --reach {reach}: {error}", err=True)
        raise typer.Exit(1) from error
    except (ExportError, ArtifactError, ModelError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {path}: {error}") from error


def _schedule(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(step) for step in text.split(","))
    except ValueError as error:
        raise RequestError(f"--steps {text!r} is no list of timesteps, as 1000,500") from error


def _export(request: ExportRequest, *, is_estimate: bool) -> None:
    chosen = recipe(request.preset)
    require_tools(request)
    need = estimate(chosen, request)
    typer.echo(f"Needs: {need}.")
    if is_estimate:
        return
    there = sum(path.stat().st_size for path in request.out.rglob("*") if path.is_file())
    require_space(need, request.out, already=there)
    request.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def tell(line: str) -> None:
        typer.echo(f"[{time.monotonic() - began:7.1f} s] {line}")

    records = run_export(chosen, request, tell)
    tell(publish(chosen, request, records))


@app.command("check-tensorrt")
def check_tensorrt(
    case: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(CASES)}; by default all.")
    ] = None,
    gpu: Annotated[
        list[str] | None, typer.Option(help="SM89, SM120, ... or any; by default these three.")
    ] = None,
) -> None:
    """Parse and build full-size blocks for TensorRT, here, without a GPU."""
    table = Table(
        "network", "types", "GPU", "engine MiB", "seconds", "attention", "rotary", "cache"
    )
    try:
        for name in case or CASES:
            for row in check_case(name, gpu or ["SM89", "SM120", "any"]):
                table.add_row(*row)
    except ExportError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        Console(width=110).print(table)
