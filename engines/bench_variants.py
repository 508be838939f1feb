"""What a bench or a parity check runs: bundles, and for each the runtimes that take turns on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle
from engines.command_line import find_bundle, start_engine
from engines.errors import ArtifactError, InputError
from engines.manifest import Size
from engines.runtimes.choice import FORMATS, RuntimeName
from engines.scene.boxes import Box
from engines.scene.scene import Caption, Scene, build_scene
from engines.scene.store import ready_scene
from engines.stream import AvatarStream


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run a bundle; None is the default."""

    runtime: RuntimeName | None
    precision: str | None = None
    steps: int | None = None

    def __str__(self) -> str:
        name = self.runtime or "default"
        precision = f":{self.precision}" if self.precision else ""
        return f"{name}{precision}" + (f"@{self.steps}" if self.steps else "")


class Entry(NamedTuple):
    """A variant and the bundle that it runs."""

    bundle: Bundle
    variant: Variant
    name: str


class Field(NamedTuple):
    """Who takes part, and who cannot."""

    entries: tuple[Entry, ...]
    skipped: tuple[str, ...]


def parse_variant(text: str) -> Variant:
    """Read RUNTIME[:PRECISION][@STEPS].

    Raises:
        InputError: when the runtime is unknown or the steps are no number.
    """
    rest, _, steps = text.partition("@")
    name, _, precision = rest.partition(":")
    known: tuple[RuntimeName, ...] = get_args(RuntimeName)
    found = next((each for each in known if each == name), None)
    if found is None or (steps and not steps.isdecimal()):
        raise InputError(f"{text} is not RUNTIME[:PRECISION][@STEPS]; runtimes: {', '.join(known)}")
    return Variant(found, precision or None, int(steps) if steps else None)


def line_up(folders: Sequence[Path | None], variants: Sequence[Variant]) -> Field:
    """Pair every bundle with every variant; of several, those that do not fit are skipped.

    Raises:
        ArtifactError: when a bundle cannot be opened, or no pair fits.
    """
    bundles = [find_bundle(folder) for folder in folders or [None]]
    entries, skipped = [], []
    for bundle in bundles:
        held = {entry.format for entry in bundle.manifest.networks if entry.role == "dit"}
        for variant in variants:
            name = str(variant)
            if len(bundles) > 1:
                name = f"{bundle.folder.name} {name}"
            if variant.runtime is None or held & set(FORMATS[variant.runtime]):
                entries.append(Entry(bundle, variant, name))
            else:
                skipped.append(f"{name}: the bundle holds {' and '.join(sorted(held))} networks")
    if not entries:
        raise ArtifactError(
            f"no --runtime or --variant runs what the bundles hold ({'; '.join(skipped)}); choose "
            "another"
        )
    return Field(tuple(entries), tuple(skipped))


def pick_size(bundle: Bundle, people: int | None, size: str | None) -> Size:
    """Pick a size of a bundle: two people where it has them, else what there is.

    Raises:
        InputError: when the bundle has no such number of people or size.
    """
    counts = [each.people for each in bundle.manifest.sizes]
    if people is None:
        people = 2 if 2 in counts else counts[0]
    return bundle.sizes_for(people)[0] if size is None else bundle.size(f"{size}x{people}")


def bench_scene(bundle: Bundle, wanted: Size) -> Scene:
    """Take a ready scene where one fits, else draw gray people: pixels do not change the cost."""
    people = wanted.people
    for entry in bundle.manifest.scenes:
        if entry.people == people and (scene := ready_scene(bundle, entry.name)).size == wanted:
            return scene
    column = wanted.width / people
    side = 0.5 * min(column, wanted.height)
    middle = (wanted.height - side) / 2
    boxes = tuple(
        Box(left, middle, left + side, middle + side)
        for left in (column * (person + 0.5) - side / 2 for person in range(people))
    )
    gray = np.full((wanted.height, wanted.width, 3), 128, np.uint8)
    return build_scene(gray, boxes, wanted, bundle.manifest.region, Caption(name="gray"))


class Opened(NamedTuple):
    """An engine and a room on it with everybody seated."""

    engine: AvatarEngine
    about: str
    stream: AvatarStream


@contextmanager
def open_room(entry: Entry, scene: Scene, threads: int | None, seed: int = 0) -> Iterator[Opened]:
    """Start an entry's runtime and open a room on it.

    Raises:
        EngineError: when it cannot run here.
    """
    variant = entry.variant
    engine, about = start_engine(entry.bundle, variant.runtime, threads, variant.precision)
    with engine, AvatarStream(engine, scene, seed=seed) as stream:
        for seat in range(scene.size.people):
            stream.join(seat)
        yield Opened(engine, about, stream)
