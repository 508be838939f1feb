"""Check downloaded model weights: is a folder complete, and what is still to be fetched?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from models.checkpoints.network import build_empty
from models.checkpoints.presets import Preset, presets
from models.checkpoints.verify import (
    BF16_BYTES,
    NetworkReport,
    PresetReport,
    parameter_count,
    verify,
)

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def _preset(name: str) -> Preset:
    known = presets()
    if name not in known:
        raise typer.BadParameter(f"there is no preset '{name}'; there are: {', '.join(known)}")
    return known[name]


@app.command("verify")
def verify_command(
    directory: Annotated[Path, typer.Argument(help="Where the files were downloaded to.")],
    preset: Annotated[
        Preset, typer.Option(parser=_preset, metavar="NAME", help="See `parley checkpoints list`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Say whether DIRECTORY holds all that a preset needs. Reads headers alone, so it is quick."""
    report = verify(preset, directory)
    if as_json:
        typer.echo(json.dumps(_as_json(report), indent=2))
    else:
        for line in _lines(report):
            typer.echo(line)
    raise typer.Exit(0 if report.is_complete else 1)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the presets and their sizes."""
    known = presets().values()
    networks = {network.name: network for preset in known for network in preset.networks}
    counts = {name: parameter_count(build_empty(each)) for name, each in networks.items()}
    rows = [(each, sum(counts[network.name] for network in each.networks)) for each in known]
    if as_json:
        content = [
            {
                "preset": preset.name,
                "summary": preset.summary,
                "networks": [network.name for network in preset.networks],
                "parameters": parameters,
                "bf16_bytes": parameters * BF16_BYTES,
            }
            for preset, parameters in rows
        ]
        typer.echo(json.dumps(content, indent=2))
        return
    table = Table("preset", "what it is", "parameters", "in bf16", box=None)
    for preset, parameters in rows:
        size = _gigabytes(parameters * BF16_BYTES)
        table.add_row(preset.name, preset.summary, _billions(parameters), size)
    Console().print(table)


def _lines(report: PresetReport) -> Iterator[str]:
    """Say a report in sentences; commands on lines of their own, to be copied."""
    if not any(network.paths for network in report.networks):
        there = "is empty of weights" if report.directory.is_dir() else "does not exist"
        yield f"{report.directory} {there}. To fetch what {report.preset} needs:"
        yield from _unique(line for network in report.networks for line in network.advice)
        yield _memory(report)
        return
    for network in report.networks:
        yield _headline(network)
        yield from (f"      {problem}" for problem in network.problems)
        if network.absent:
            yield f"      not there: {', '.join(network.absent)}"
    advice = _unique(line for network in report.networks for line in network.advice)
    if advice:
        yield "What to do:"
        yield from advice
    yield _memory(report)
    yield f"{report.preset} is {'complete' if report.is_complete else 'NOT complete'}."


def _headline(report: NetworkReport) -> str:
    if report.is_complete:
        mark = typer.style("ok   ", fg=typer.colors.GREEN)
    else:
        mark = typer.style("FAIL ", fg=typer.colors.RED)
    files = f"{len(report.paths)} file{'' if len(report.paths) == 1 else 's'}"
    return (
        f"{mark} {report.network}: {_billions(report.parameters)} parameters, "
        f"{_gigabytes(report.bf16_bytes)} in bf16; {files}, {_gigabytes(report.size_bytes)} on disk"
    )


def _memory(report: PresetReport) -> str:
    return (
        f"On disk: {_gigabytes(report.size_bytes)}. "
        f"Memory for the weights of {report.preset} in bf16: {_gigabytes(report.bf16_bytes)}."
    )


def _unique(lines: Iterator[str]) -> list[str]:
    return [f"  {line}" for line in dict.fromkeys(lines)]


def _billions(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e9 else f"{number / 1e6:.1f} M"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def _as_json(report: PresetReport) -> dict[str, Any]:
    return {
        "preset": report.preset,
        "directory": str(report.directory),
        "is_complete": report.is_complete,
        "size_bytes": report.size_bytes,
        "bf16_bytes": report.bf16_bytes,
        "networks": [
            {
                "network": each.network,
                "is_complete": each.is_complete,
                "parameters": each.parameters,
                "bf16_bytes": each.bf16_bytes,
                "size_bytes": each.size_bytes,
                "files": [str(path) for path in each.paths],
                "absent_files": list(each.absent),
                "missing": list(each.comparison.missing),
                "unexpected": list(each.comparison.unexpected),
                "misshapen": [
                    {
                        "name": one.name,
                        "expected": list(one.expected),
                        "found": list(one.found.shape),
                        "file": str(one.found.path),
                    }
                    for one in each.comparison.misshapen
                ],
                "problems": list(each.problems),
                "advice": list(each.advice),
            }
            for each in report.networks
        ],
    }
