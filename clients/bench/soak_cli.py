"""Rooms for an hour, with voices that come and go, and losses: does anything grow?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from rich.console import Console

from clients.bench.errors import BenchError
from clients.bench.load_errors import LoadError
from clients.bench.load_machine import hardware, program_commit
from clients.bench.load_speech import sentence
from clients.bench.soak_faces import with_identity
from clients.bench.soak_plot import draw
from clients.bench.soak_report import Report, for_terminal, markdown
from clients.bench.soak_run import Sentences, Soaked, SoakPlan, run
from clients.bench.soak_samples import Sample, trends
from clients.bench.soak_server import serving
from clients.bench.soak_voices import BOT_RATE, MICROPHONE_RATE, Pcm
from clients.bot import InputError
from clients.bot.audio_file import read_file

FAILED, GROWS = 1, 3
MADE = 6  # sentences, where no recordings are given
MADE_S = (1.5, 4.0)
LOOKS = 240  # of a run; never more than one every 2 s, nor less than one every 10 s
EVERY_S = (2.0, 10.0)


def soak(  # noqa: PLR0913  # each is an option of the command
    *,
    out: Annotated[
        Path, typer.Option(help="Folder for soak.json, soak.png, table.md, a film.", metavar="DIR")
    ],
    minutes: Annotated[float, typer.Option(min=0.2, help="How long; 2 to try it.")] = 60.0,
    rooms: Annotated[int, typer.Option(min=1, help="Rooms, each with a viewer.")] = 2,
    loss: Annotated[float, typer.Option(min=0, max=50, help="Percent, each way.")] = 2.0,
    voice: Annotated[
        list[Path] | None,
        typer.Option(help="A recording that is said. Repeat it. Default: made syllables."),
    ] = None,
    url: Annotated[str, typer.Option(help="A server. Default: one that the bench starts.")] = "",
    token: Annotated[
        str, typer.Option(envvar="PARLEY_TOKEN", help="An admin's; see `parley token`.")
    ] = "",
    scene: Annotated[
        list[str] | None,
        typer.Option(
            help="Of the rooms by turns; repeat it. Default: the first with two seats; one of a "
            "seat takes less of a machine."
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Of a server that the bench starts.", metavar="DIR")
    ] = None,
    generator: Annotated[
        str, typer.Option(help="Of a server that the bench starts: bundle, or null for bars.")
    ] = "",
    is_judged: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Let `parley bench quality` tell faces.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of who says what, and of what gets lost.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Keep rooms busy behind a bad network, and say whether anything grows; 3 if it does."""
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    seconds = 60 * minutes
    every_s = min(max(seconds / LOOKS, EVERY_S[0]), EVERY_S[1])
    plan = SoakPlan(
        url=url, token=token, scenes=scene or (), rooms=rooms, seconds=seconds, every_s=every_s,
        loss=loss / 100, seed=seed, out=out,
    )  # fmt: skip
    try:
        out.mkdir(parents=True, exist_ok=True)
        sentences = _sentences(voice or [], seed)
        soaked = asyncio.run(_run(plan, sentences, bundle, generator))
        judged = _judge(soaked) if is_judged else Judged(soaked.samples, None)
        report = _report(plan, soaked, judged, began_at)
        _write(out, report)
    except (LoadError, InputError, OSError) as error:
        typer.echo(f"parley bench soak: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        typer.echo("parley bench soak: stopped; its rooms are closed", err=True)
        raise typer.Exit(FAILED) from stopped
    if as_json:
        typer.echo(json.dumps(report.told()))
    else:
        Console().print(for_terminal(report))
    if any(each.grows for each in report.trends):
        raise typer.Exit(GROWS)


async def _run(plan: SoakPlan, sentences: Sentences, bundle: Path | None, generator: str) -> Soaked:
    limits = (f"limits.rooms={max(4, plan.rooms)}",)
    with Console(stderr=True).status("Starting") as status:

        def tell(sample: Sample) -> None:
            memory = "-" if sample.rss_mb is None else f"{sample.rss_mb:.0f}"
            rate = "-" if sample.fps is None else f"{sample.fps:.0f}"
            at = f"{sample.at_s / 60:.1f} of {plan.seconds / 60:g} minutes"
            status.update(f"{at}; server {memory} MB, {rate} pictures a second")

        async with serving(plan.url, bundle=bundle, generator=generator, settings=limits) as url:
            return await run(replace(plan, url=url), sentences, tell)


def _sentences(files: Sequence[Path], seed: int) -> Sentences:
    """Read recordings, or make syllables; the same for bots and microphones.

    Raises:
        InputError: when a file is no sound.
    """
    if files:
        return Sentences(*([_read(path, rate) for path in files] for rate in _RATES))
    made = []
    for rate in _RATES:
        draw_from = np.random.default_rng(seed)
        lengths = np.linspace(*MADE_S, MADE)
        made.append([sentence(draw_from, rate, float(length)) for length in lengths])
    return Sentences(*made)


_RATES = (BOT_RATE, MICROPHONE_RATE)


def _read(path: Path, rate: int) -> Pcm:
    return np.frombuffer(b"".join(read_file(path, rate)), "<i2").astype(np.int16)


class Judged(NamedTuple):
    """Every look, with what the judges say of its faces."""

    samples: list[Sample]
    why_not: str | None  # they do not


def _judge(soaked: Soaked) -> Judged:
    """Let the judges watch; an hour of figures is told without them, too."""
    with Console(stderr=True).status("The judges look at faces"):
        try:
            rooms = [film.judged() for film in soaked.films]
        except BenchError as error:
            return Judged(soaked.samples, str(error))
    return Judged(with_identity(soaked.samples, rooms), None)


def _report(plan: SoakPlan, soaked: Soaked, judged: Judged, began_at: str) -> Report:
    return Report(
        began_at=began_at,
        commit=program_commit(),
        hardware=hardware(),
        url=plan.url,
        scenes=[each.id for each in soaked.scenes],
        rooms=plan.rooms,
        seconds=plan.seconds,
        loss=plan.loss,
        seed=plan.seed,
        datagrams=soaked.carried,
        lost=soaked.lost,
        failed=soaked.failed,
        unjudged=judged.why_not,
        samples=judged.samples,
        trends=trends(judged.samples),
    )


def _write(out: Path, report: Report) -> None:
    text = json.dumps(report.told(), indent=1) + "\n"
    (out / "soak.json").write_text(text, encoding="utf-8")
    (out / "table.md").write_text(markdown(report), encoding="utf-8")
    draw(out / "soak.png", report.samples, report.trends, report.verdict)
