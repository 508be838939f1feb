"""Score a talking video: lip sync, who moves when who speaks, identity, drift, flicker."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from models.errors import InputError, ModelError
from training.metrics.hearing import Listener
from training.metrics.observation import Observation, Observer
from training.metrics.pictures import draw
from training.metrics.quality import Heard, Quality, judge, open_picture, read_references
from training.metrics.report import report, tables
from training.metrics.studio_clip import SUFFIX, unpack_clip
from training.metrics.tracks import FaceTracks, build_tracks, count_people
from training.metrics.voices import Voices, files_by_seat, gather_voices

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

USAGE_ERROR = 2
STDOUT = "-"


class Inputs(NamedTuple):
    """What a video is judged by."""

    video: Path
    audio: Mapping[int, Path]
    curves: Mapping[int, Path]
    reference: Path | None
    truth: Path | None
    people: int | None


class Judged(NamedTuple):
    """The scores, and what the pictures of the report need."""

    quality: Quality
    tracks: FaceTracks
    voices: Voices
    heard: tuple[Heard, ...]
    watching_s: float
    listening_s: float


def run_judges(inputs: Inputs, assets: Path | None = None) -> Judged:
    """Watch, listen and judge; blocks for as long as the video lasts or so.

    Raises:
        InputError: when a file cannot be used, or nobody is seen.
        AssetError: when a network is missing.
    """
    observer = Observer(assets)
    listener = Listener(assets)
    start = time.perf_counter()
    seen = _watch(observer, inputs)
    watching_s = time.perf_counter() - start
    people = inputs.people or count_people(seen.frames)
    if not any(seen.frames):
        raise InputError(f"{inputs.video} shows no face that the detector finds; nothing to judge")
    _check_seats(inputs, people)
    size = (seen.form.width_px, seen.form.height_px)
    tracks = build_tracks(seen.frames, people, seen.form.fps, size)
    start = time.perf_counter()
    voices = gather_voices(inputs.video, seen.form, inputs.audio, people)
    heard = listener.hear(voices, tracks, inputs.curves)
    listening_s = time.perf_counter() - start
    references = None
    if inputs.reference is not None:
        found = observer.faces_of(open_picture(inputs.reference))
        references = read_references(inputs.reference, people, found)
    quality = judge(seen, tracks, heard, references, (voices.source, voices.is_mixed))
    return Judged(quality, tracks, voices, heard, watching_s, listening_s)


def _judge_shard(inputs: Inputs, key: str | None) -> Judged:
    """Judge a clip of a shard by its own voices and true mouths, where none are given."""
    with tempfile.TemporaryDirectory() as folder:
        found = unpack_clip(inputs.video, key, Path(folder))
        return run_judges(
            inputs._replace(
                video=found.video,
                audio={**found.audio, **inputs.audio},
                curves={**found.curves, **inputs.curves},
                people=inputs.people or len(found.audio),
            )
        )


def _check_seats(inputs: Inputs, people: int) -> None:
    wrong = [seat for seat in (*inputs.audio, *inputs.curves) if seat >= people]
    if wrong:
        raise InputError(
            f"seat {wrong[0]} was named, but there are {people} people, seats 0 to {people - 1}; "
            "name another, or say --people if most frames show too few"
        )


def _watch(observer: Observer, inputs: Inputs) -> Observation:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress("watching", *columns, console=console, transient=True) as progress:
        task = progress.add_task("watching", total=None)
        return observer.watch(
            inputs.video, inputs.truth, lambda frame: progress.update(task, completed=frame)
        )


@app.command()
def quality(  # noqa: PLR0913 - the options of a command line are its arguments
    video: Annotated[
        Path,
        typer.Argument(help="The video to judge, or a studio shard.", exists=True, dir_okay=False),
    ],
    audio: Annotated[
        list[str] | None,
        typer.Option(
            help="SEAT=FILE: a person's voice; seats from the left, from 0. Repeat it. "
            "Default: the video's own tracks."
        ),
    ] = None,
    curves: Annotated[
        list[str] | None,
        typer.Option(help="SEAT=FILE: a person's true mouth, NPZ or JSON. Repeat it."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Picture of the people, for identity.", exists=True)
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="The true video, for PSNR and SSIM.", exists=True)
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(help="Which clip of a shard, such as 0000003; default: its first."),
    ] = None,
    people: Annotated[
        int | None, typer.Option(help="How many people; default: as most frames show.", min=1)
    ] = None,
    json_out: Annotated[
        str | None, typer.Option("--json", help="Write the report here as JSON; - is stdout.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Draw mouths, timeline and drift into this folder.")
    ] = None,
) -> None:
    """Score a talking video: lip sync, who moves when who speaks, identity, drift, flicker."""
    try:
        inputs = Inputs(
            video, files_by_seat(audio or []), files_by_seat(curves or []), reference, truth, people
        )
        judged = _judge_shard(inputs, clip) if video.suffix == SUFFIX else run_judges(inputs)
    except ModelError as error:
        typer.echo(f"parley bench quality: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    text = json.dumps(report(judged.quality), indent=2, allow_nan=False) + "\n"
    if json_out == STDOUT:
        sys.stdout.write(text)
    else:
        if json_out is not None:
            Path(json_out).write_text(text)
        Console().print(tables(judged.quality))
    if pictures is not None:
        draw(pictures, judged.quality, judged.tracks, judged.voices, judged.heard)
    frames = judged.quality.frames
    typer.echo(
        f"watched {frames} frames in {judged.watching_s:.1f} s "
        f"({1e3 * judged.watching_s / frames:.1f} ms a frame), "
        f"listened for {judged.listening_s:.1f} s",
        err=True,
    )


if __name__ == "__main__":
    app()
