"""Measure from a microphone to the lips of any avatar server, in a real browser."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from clients.bench.calibration import (
    WANTED_MS,
    Calibrated,
    calibrate,
    slope_error_ms,
    worst_error_ms,
)
from clients.bench.chromium import BenchPage, bench_page, foreign_page
from clients.bench.errors import BenchError
from clients.bench.latency_report import table, write
from clients.bench.load_machine import hardware, program_commit

FAILED, USAGE = 1, 2
VIEWS = 5


def latency(  # noqa: PLR0913  # each is an option of the command
    *,
    url: Annotated[str, typer.Option(help="A Parley server.")] = "http://127.0.0.1:8080",
    token: Annotated[str, typer.Option(envvar="PARLEY_TOKEN", help="See `parley token`.")] = "",
    room: Annotated[str, typer.Option(help="Default: one of its own, closed at the end.")] = "",
    scene: Annotated[str, typer.Option(help="Of a room of its own. Default: the first.")] = "",
    seat: Annotated[int, typer.Option(min=0, help="Who speaks; 0 is the leftmost person.")] = 0,
    play: Annotated[str, typer.Option(help="Of any server: where it plays, by WHEP.")] = "",
    publish: Annotated[str, typer.Option(help="And where a voice goes, by WHIP.")] = "",
    join: Annotated[str, typer.Option(help="Or both by one offer in JSON.")] = "",
    mouth: Annotated[
        str, typer.Option(help="left,top,right,bottom as shares of the picture, 0 to 1.")
    ] = "",
    bursts: Annotated[int, typer.Option(min=1, help="Sounds to send, one every 3 s.")] = 20,
    views: Annotated[int, typer.Option(min=1, help="Times the first picture is timed.")] = VIEWS,
    microphone: Annotated[
        Path | None,
        typer.Option(help="Speak this WAV through the microphone: a word every 3 s."),
    ] = None,
    is_calibration: Annotated[
        bool,
        typer.Option("--calibrate", help="Find the method's error on echoes of known delay."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write report.json, report.html and table.md there.")
    ] = None,
) -> None:
    """Measure from a microphone to the lips, to the ear, and to the first picture."""
    try:
        box = read_mouth(mouth)
        _check(play, publish, join, microphone)
        if is_calibration:
            _calibrate(token, bursts, as_json=as_json)
            return
        named = {
            "room": room, "scene": scene, "play": play, "publish": publish, "join": join,
            "mouth": box, "microphone": microphone is not None,
        }  # fmt: skip
        wishes: dict[str, object] = {name: value for name, value in named.items() if value}
        wishes |= {"seat": seat, "bursts": bursts, "views": views}
        is_foreign = bool(play or publish or join)
        opened = (
            foreign_page(token=token, microphone=microphone)
            if is_foreign
            else bench_page(url, token=token, microphone=microphone)
        )
        target = join or play if is_foreign else url
        _measure(opened, wishes, target, as_json=as_json, out=out)
    except (BenchError, OSError) as error:
        typer.echo(f"parley bench latency: {error}", err=True)
        raise typer.Exit(FAILED) from error


def read_mouth(text: str) -> list[float] | None:
    """Read a box as shares of the picture.

    Raises:
        BenchError: when it is none.
    """
    if not text:
        return None
    wanted = "--mouth wants left,top,right,bottom as shares of the picture, such as 0.4,0.5,0.6,0.7"
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise BenchError(f"{wanted}; got {text}") from error
    if len(shares) != 4 or not (
        0 <= shares[0] < shares[2] <= 1 and 0 <= shares[1] < shares[3] <= 1
    ):
        raise BenchError(f"{wanted}; got {text}")
    return shares


def _check(play: str, publish: str, join: str, microphone: Path | None) -> None:
    if join and (play or publish):
        raise BenchError("give --join, or --play and --publish, and not both")
    if bool(play) != bool(publish):
        raise BenchError("--play and --publish belong together: where to watch, where to speak")
    if microphone is not None and not microphone.is_file():
        raise BenchError(f"there is no file {microphone}")


def _measure(
    opened: AbstractContextManager[BenchPage],
    wishes: dict[str, object],
    target: str,
    *,
    as_json: bool,
    out: Path | None,
) -> None:
    seconds = 12 + 3.3 * float(str(wishes["bursts"]))
    with Console(stderr=True).status(f"Measuring, about {seconds:.0f} s"), opened as page:
        result = page.measure(wishes)
        about = {"server": target, **_about(), "browser": page.browser}
        html = page.report(result, about)
    report: dict[str, Any] = {**result, "about": about}
    if out is not None:
        write(out, report, html)
    if as_json:
        typer.echo(json.dumps(report))
    else:
        Console().print(table(report))
    if not result["seen"]:
        raise BenchError(
            "no burst was seen at the mouth: is the seat's person in the picture? "
            "name the place by --mouth"
        )


def _about() -> dict[str, str]:
    machine = hardware()
    return {
        "hardware": f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB",
        "system": machine.system,
        "commit": program_commit()[:12],
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _calibrate(token: str, bursts: int, *, as_json: bool) -> None:
    def measure(wishes: Any) -> dict[str, Any]:
        with foreign_page(token=token) as page:
            return page.measure({"seat": 0, "views": 1, **wishes})

    with Console(stderr=True).status("Measuring echoes of known delay, some minutes"):
        found = calibrate(measure, bursts)
    worst, slope = worst_error_ms(found), slope_error_ms(found)
    if as_json:
        delays = [asdict(each) for each in found]
        about = _about()
        typer.echo(
            json.dumps(
                {
                    "error_ms": worst,
                    "slope_error_ms": round(slope, 1),
                    "delays": delays,
                    "about": about,
                }
            )
        )
    else:
        Console().print(_calibration_table(found))
        typer.echo(f"error {worst:.1f} ms, of differences {slope:.1f} ms; wanted {WANTED_MS:g} ms")
    if worst > WANTED_MS:
        raise BenchError(f"the error is above {WANTED_MS:g} ms: is the machine busy?")


def _calibration_table(found: list[Calibrated]) -> Table:
    names = ("known", "held", "lips", "ways", "error", "ear", "ear less held", "bursts")
    shown = Table(*names, title="Echoes of known delay, ms")
    for each in found:
        numbers = (each.delay_ms, each.held_ms, each.lips_ms, each.explained_ms, each.error_ms)
        ears = (each.ear_ms, each.ear_ms - each.ear_held_ms)
        shown.add_row(*(f"{ms:.0f}" for ms in (*numbers, *ears)), str(each.bursts))
    return shown
