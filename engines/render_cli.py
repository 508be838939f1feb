"""Film a conversation: a picture or a ready scene, a voice for each seat, one MP4."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from engines.audio_files import read_audio
from engines.bundle import Bundle
from engines.command_line import (
    BoxesOption,
    BundleOption,
    RuntimeOption,
    SizeOption,
    ThreadsOption,
    errors_in_one_line,
    find_bundle,
    read_boxes,
    start_engine,
)
from engines.errors import InputError
from engines.manifest import SCENE_DESCRIPTION
from engines.render import Cue, Progress, Voices, film
from engines.scene.detection import FaceDetector
from engines.scene.picture import read_picture
from engines.scene.prepare import Wishes, prepare_scene
from engines.scene.scene import Scene
from engines.scene.store import read_scene, ready_scene, scene_for
from engines.stream import AvatarStream
from engines.video_file import Mix, VideoFile, gains

REPORT_SECONDS = 5.0  # between lines, where the output is no terminal


def render(  # noqa: PLR0913  # a command's options are its arguments
    audio: Annotated[
        list[str],
        typer.Option(metavar="SEAT=FILE", help="A voice. Seats count from 0, left to right."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.mp4", help="Where to write the film.")],
    scene: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE|NAME",
            help="A picture, a prepared folder or a scene of the bundle. "
            "Default: one with as many people as voices.",
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Instead of the scene's own.")] = None,
    prompt_at: Annotated[
        list[str] | None,
        typer.Option(metavar="SECONDS=PROMPT", help="Another prompt from then on; repeatable."),
    ] = None,
    bundle: BundleOption = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    steps: Annotated[int | None, typer.Option(help="Denoising steps. Default: bundle's.")] = None,
    mix: Annotated[Mix, typer.Option(help="Voices from their seats, or all in the middle.")] = (
        "stereo"
    ),
    boxes: BoxesOption = None,
    size: SizeOption = None,
    crop: Annotated[bool, typer.Option(help="Crop the picture instead of padding it.")] = False,
    runtime: RuntimeOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Film a conversation."""
    with errors_in_one_line():
        opened = find_bundle(bundle)
        voices, cues = read_voices(audio), read_cues(prompt_at or [])
        wishes = Wishes(boxes=read_boxes(boxes), size=size, is_cropped=crop)
        chosen = find_scene(opened, scene, wishes, len(voices))
        _check_out(out)
        engine, why = start_engine(opened, runtime, threads)
        typer.echo(f"{chosen.name}, {chosen.size.key}, {why}", err=True)
        with (
            engine,
            AvatarStream(engine, chosen, prompt=prompt, seed=seed) as stream,
            VideoFile(
                out, (chosen.size.width, chosen.size.height), gains(stream.people, mix)
            ) as file,
        ):
            done = film(stream, voices, file, cues=cues, steps=steps, report=_reporter())
        typer.echo(
            f"{out}: {done.seconds_in_all:.2f} s, real-time factor {done.real_time_factor:.2f}"
        )


def read_voices(arguments: list[str]) -> Voices:
    """Read SEAT=FILE arguments.

    Raises:
        InputError: when one is not of this form, or a seat is named twice.
    """
    voices = {}
    for argument in arguments:
        seat, equals, name = argument.partition("=")
        if not equals or not seat.isdecimal() or not name:
            raise InputError(f"--audio {argument} is not SEAT=FILE, such as 0=anna.wav")
        if int(seat) in voices:
            raise InputError(f"seat {seat} has two voices; give one --audio for each seat")
        voices[int(seat)] = read_audio(Path(name))
    return voices


def read_cues(arguments: list[str]) -> list[Cue]:
    """Read SECONDS=PROMPT arguments.

    Raises:
        InputError: when one is not of this form.
    """
    cues = []
    for argument in arguments:
        time_of, equals, prompt = argument.partition("=")
        try:
            seconds = float(time_of)
        except ValueError:
            seconds = -1.0
        if not equals or not 0 <= seconds < float("inf"):
            raise InputError(f'--prompt-at {argument} is not SECONDS=PROMPT, as 4.5="they smile"')
        cues.append(Cue(seconds=seconds, prompt=prompt))
    return cues


def find_scene(bundle: Bundle, name: str | None, wishes: Wishes, voices: int) -> Scene:
    """Find what --scene means: nothing, a prepared folder, a picture, or a name in the bundle.

    Raises:
        EngineError: when it is none of these, or cannot be used.
    """
    if name is None:
        return ready_scene(bundle, scene_for(bundle, voices))
    path = Path(name)
    if (path / SCENE_DESCRIPTION).is_file():
        return read_scene(bundle, path)
    if path.is_file():
        detector = FaceDetector() if wishes.boxes is None else None
        return prepare_scene(bundle, read_picture(path), wishes, detector)
    known = {scene.name for scene in bundle.manifest.scenes}
    if name not in known and (path.suffix or len(path.parts) > 1):
        raise InputError(f"there is no picture {name}")
    return ready_scene(bundle, name)


def _check_out(out: Path) -> None:
    if out.suffix.lower() != ".mp4":
        raise InputError(f"--out {out} must end in .mp4")
    if not out.parent.is_dir():
        raise InputError(f"the folder of --out {out} does not exist")
    if out.is_dir():
        raise InputError(f"--out {out} is a folder")


def _reporter() -> Callable[[Progress], None]:
    """Give a function that shows progress: one line that changes, or a line now and then."""
    is_terminal = sys.stderr.isatty()
    last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        is_done = progress.seconds_made >= progress.seconds_in_all
        if not is_terminal and (time.monotonic() - last < REPORT_SECONDS or is_done):
            return
        last = time.monotonic()
        line = (
            f"{progress.seconds_made:.1f} of {progress.seconds_in_all:.1f} s, real-time factor "
            f"{progress.real_time_factor:.2f}, {progress.seconds_left:.0f} s left"
        )
        typer.echo(
            f"\r{line:<72}" if is_terminal else line, err=True, nl=is_done or not is_terminal
        )

    return report
