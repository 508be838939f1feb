"""Prove it on real voices: browsers speak, a viewer films, independent judges score."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.status import Status

from clients.bench import proof_film, proof_judges, proof_report
from clients.bench.errors import BenchError
from clients.bench.judges import judge
from clients.bench.load_errors import LoadError
from clients.bench.load_machine import hardware, program_commit
from clients.bench.proof_report import Report
from clients.bench.proof_run import Taken, Wish, run
from clients.bench.proof_script import Script, read_seats, read_voice, script
from clients.bench.soak_server import serving

FAILED = 1
SECONDS = 60.0


class Own(NamedTuple):
    """The server that the bench starts where none is named."""

    url: str
    bundle: Path | None
    generator: str


def proof(  # noqa: PLR0913  # each is an option of the command
    *,
    voice: Annotated[
        list[str] | None,
        typer.Option(help="SEAT=FILE, seats from the left, from 0. Repeat it; also for a seat."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the film, the voices and the figures.")],
    url: Annotated[str, typer.Option(help="A server. Default: one that the bench starts.")] = "",
    token: Annotated[
        str, typer.Option(envvar="PARLEY_TOKEN", help="An admin's; see `parley token`.")
    ] = "",
    scene: Annotated[str, typer.Option(help="Default: the first with seats enough.")] = "",
    bundle: Annotated[
        Path | None, typer.Option(help="Of a server that the bench starts.", metavar="DIR")
    ] = None,
    generator: Annotated[
        str, typer.Option(help="Of a server that the bench starts: bundle, or null for bars.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=5, help="How long they talk.")] = SECONDS,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Instead of seconds; 10 to see A/V skew drift.")
    ] = None,
    is_judged: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Let `parley bench quality` score it.")
    ] = True,
    clip_seconds: Annotated[float, typer.Option(min=2, help="Of the clip for a page.")] = 12.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let browsers speak recordings on the meeting page, film it, and score the film."""
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        files = read_seats(voice or [])
        voices = {seat: [read_voice(path) for path in paths] for seat, paths in files.items()}
        written = script(voices, seconds if minutes is None else 60 * minutes)
        out.mkdir(parents=True, exist_ok=True)
        with Console(stderr=True).status("Starting") as status:
            own = Own(url, bundle, generator)
            taken = asyncio.run(
                _take(own, Wish(url=url, token=token, scene=scene, out=out), written, status)
            )
            judged = _judge(out, taken, status) if is_judged else None
            size = _clip(out, taken, clip_seconds, status)
        named = {seat: [path.name for path in paths] for seat, paths in files.items()}
        report = _report(taken, judged, named, (began_at, url, written.seconds, size))
        text = json.dumps(report.told(), indent=1) + "\n"
        (out / "proof.json").write_text(text, encoding="utf-8")
        (out / "table.md").write_text(proof_report.markdown(report), encoding="utf-8")
    except (BenchError, LoadError, OSError) as error:
        typer.echo(f"parley bench proof: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        typer.echo("parley bench proof: stopped; its room is closed", err=True)
        raise typer.Exit(FAILED) from stopped
    if as_json:
        typer.echo(text, nl=False)
    else:
        Console().print(proof_report.for_terminal(report))


async def _take(own: Own, wish: Wish, written: Script, status: Status) -> Taken:
    async with serving(own.url, bundle=own.bundle, generator=own.generator) as address:
        named = Wish(url=address, token=wish.token, scene=wish.scene, out=wish.out)
        return await run(named, written, lambda text: status.update(f"{text}"))


def _judge(out: Path, taken: Taken, status: Status) -> dict[str, Any]:
    status.update("The judges watch and listen")
    seats = [placed.seat for placed in taken.voices]
    words = proof_judges.command(out, seats, taken.scene.people, has_picture=taken.has_picture)
    return proof_judges.summary(judge(words, out / "quality.json"))


def _clip(out: Path, taken: Taken, seconds: float, status: Status) -> int:
    """Cut where everybody speaks; gives its bytes."""
    status.update("Cutting a clip")
    spans = [
        (placed.seat, piece.begins_s + placed.later_s, piece.ends_s + placed.later_s)
        for placed in taken.voices
        for piece in placed.pieces
    ]
    length = taken.film.frames / proof_film.FPS
    start = round(proof_film.liveliest(spans, seconds, length) * proof_film.FPS)
    end = min(taken.film.frames, start + round(seconds * proof_film.FPS))
    return proof_film.clip(out / "proof.mp4", out / "clip.mp4", (start, end), taken.film.sound)


def _report(
    taken: Taken,
    judged: dict[str, Any] | None,
    recordings: Mapping[int, Sequence[str]],
    asked: tuple[str, str, float, int],
) -> Report:
    began_at, url, seconds, clip_bytes = asked
    skews = [proof_report.skew(seat, looks) for seat, looks in sorted(taken.playouts.items())]
    return Report(
        began_at=began_at,
        commit=program_commit(),
        hardware=hardware(),
        browser=taken.browser,
        url=url,
        scene=taken.scene.id,
        size=(taken.scene.width, taken.scene.height),
        recordings={seat: list(names) for seat, names in recordings.items()},
        seconds=seconds,
        voices=[proof_report.voice(placed) for placed in taken.voices],
        skews=[each for each in skews if each is not None],
        server=taken.server,
        judged=judged,
        clip_bytes=clip_bytes,
        **proof_report.whole(taken.film),
    )
