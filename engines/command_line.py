"""What the commands of `engines` have in common: the bundle, the runtime, errors of one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle, open_bundle
from engines.errors import ArtifactError, EngineError, InputError
from engines.runtimes.choice import (
    FORMATS,
    RuntimeName,
    choose,
    default_threads,
    start,
    this_machine,
)
from engines.scene.boxes import Box, parse_boxes

USAGE_ERROR = 2
DEFAULT_BUNDLE = Path("bundles", "studio")

BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", envvar="PARLEY_BUNDLE", help="Folder of the bundle.", metavar="DIR"),
]
RuntimeOption = Annotated[
    RuntimeName | None, typer.Option("--runtime", help="Default: the fastest that fits.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", help="CPU threads. Default: the cores, up to 8.")
]
BoxesOption = Annotated[
    str | None,
    typer.Option(
        help="Boxes of the faces in pixels: 'left,top,right,bottom', one a person, by spaces."
    ),
]
SizeOption = Annotated[
    str | None, typer.Option(help="WIDTHxHEIGHT. Default: nearest to the picture's shape.")
]


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn an EngineError into its sentence on stderr and exit code 2."""
    try:
        yield
    except EngineError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error


def find_bundle(folder: Path | None) -> Bundle:
    """Open the bundle that was asked for, or the one that comes with Parley.

    Raises:
        ArtifactError: when there is none.
    """
    if folder is not None:
        return open_bundle(folder)
    beside_us = Path(__file__).parents[1] / DEFAULT_BUNDLE
    for place in (beside_us, DEFAULT_BUNDLE):
        if place.is_dir():
            return open_bundle(place)
    raise ArtifactError(
        f"there is no bundle at {beside_us}: this copy of Parley comes without its model; "
        "give one with --bundle DIR or in PARLEY_BUNDLE, or make one with `parley export`"
    )


def start_engine(
    bundle: Bundle, runtime: RuntimeName | None, threads: int | None, precision: str | None = None
) -> tuple[AvatarEngine, str]:
    """Start the runtime that was asked for, or the best, and say which and why.

    Raises:
        EngineError: when it cannot run here, or cannot run this bundle.
    """
    threads = default_threads() if threads is None else threads
    if runtime is None:
        name, reason = choose(bundle.manifest, this_machine())
    else:
        name, reason = runtime, "as asked"
        held = {entry.format for entry in bundle.manifest.networks if entry.role == "dit"}
        if not held & set(FORMATS[name]):
            raise ArtifactError(
                f"the bundle {bundle.manifest.name} holds {' and '.join(sorted(held))} networks, "
                f"which the runtime {name} does not run; choose another --runtime"
            )
    engine = AvatarEngine(bundle, start(name, threads), precision)
    return engine, f"{engine.runtime.describe()} ({reason})"


def read_boxes(text: str | None) -> tuple[Box, ...] | None:
    """Read the option --boxes."""
    if text is None:
        return None
    boxes = parse_boxes(text)
    if not boxes:
        raise InputError("--boxes names no box; write left,top,right,bottom for each face")
    return boxes
