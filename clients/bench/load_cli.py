"""Viewers and bots come to a server until it bends: where, and why."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.bench.load_errors import LoadError
from clients.bench.load_machine import cores
from clients.bench.load_page import page
from clients.bench.load_plan import LoadPlan, processes_for
from clients.bench.load_report import Report, cells, for_terminal, markdown
from clients.bench.load_run import run
from clients.bench.load_steps import Step

FAILED = 1
LEAST_WIDTH = 140  # of a table that goes into a file or a pipe


def load(  # noqa: PLR0913  # each is an option of the command
    *,
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8080",
    token: Annotated[
        str, typer.Option(envvar="PARLEY_TOKEN", help="An admin's; see `parley token`.")
    ] = "",
    rooms: Annotated[int, typer.Option(min=1, help="Rooms; the next opens when one is full.")] = 1,
    viewers: Annotated[int, typer.Option(min=1, help="Of each room.")] = 10,
    bots: Annotated[int, typer.Option(min=0, help="That speak, of each room.")] = 1,
    ramp: Annotated[float, typer.Option(min=0, help="Seconds until the last one comes.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long all of them stay.")] = 10.0,
    scene: Annotated[str, typer.Option(help="Default: the first with seats enough.")] = "",
    processes: Annotated[
        int | None, typer.Option(min=1, help="That clients run in. Default: one for 16.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for report.json, report.html and table.md.", metavar="DIR"),
    ] = None,
) -> None:
    """Let viewers and bots come to a server, and say where it bends and why."""
    try:
        plan = LoadPlan(
            url=url,
            rooms=rooms,
            viewers=viewers,
            bots=bots,
            ramp_s=ramp,
            hold_s=seconds,
            processes=processes or processes_for(rooms * (viewers + bots), cores()),
            scene=scene,
        )
        if out is not None:
            _folder(out)
        report = asyncio.run(run(plan, token, _tell))
        if out is not None:
            write(report, out)
    except LoadError as error:
        typer.echo(f"parley bench load: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        typer.echo("parley bench load: stopped; its rooms are closed", err=True)
        raise typer.Exit(FAILED) from stopped
    if as_json:
        typer.echo(json.dumps(report.told()))
        return
    is_narrow = not sys.stdout.isatty()
    Console(width=LEAST_WIDTH if is_narrow else None).print(for_terminal(report))


def write(report: Report, folder: Path) -> None:
    """Write the three files.

    Raises:
        LoadError: when they cannot be written.
    """
    files = {
        "report.json": json.dumps(report.told(), indent=2) + "\n",
        "report.html": page(report),
        "table.md": markdown(report),
    }
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LoadError(f"cannot write to {folder}: {error.strerror}") from error


def _folder(folder: Path) -> None:
    """Make the folder before anything is measured: a fault in its name costs no minutes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise LoadError(f"cannot write to {folder}")


def _tell(step: Step) -> None:
    shown = cells(step)
    names = ("viewers", "bots", "frames/s p50, worst", "join s p50, p95", "loop lag p99")
    told = "; ".join(f"{name} {shown[name]}" for name in (*names, "turned away"))
    typer.echo(f"{shown['s']} s: {told}", err=True)
