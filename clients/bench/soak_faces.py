"""Are they still who they were? One picture of each look as a film, which the judges watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from clients.bench.judges import judge
from clients.bench.load_server import Scene
from clients.bench.soak_samples import Sample
from clients.bench.soak_viewer import Picture

FPS = 1  # the judges look at faces once a second: at every picture
QUALITY = "14"  # x264's constant rate factor: what VP8 left is kept


class TimeLapse:
    """What a viewer of one room saw, a picture of each look. Use it by `with`."""

    def __init__(self, out: Path, room: int, scene: Scene) -> None:
        self.scene = scene
        self.looks: list[int] = []  # of the pictures, counted from 0
        self.path = out / f"room{room}.mp4"
        self._scene_picture = out / f"room{room}.jpg"
        self._film = av.open(self.path, "w", format="mp4")
        self._stream = self._film.add_stream("libx264", rate=FPS)
        self._stream.width, self._stream.height = scene.width, scene.height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = 1
        self._stream.options = {"crf": QUALITY, "preset": "fast"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._film.mux(self._stream.encode(None))
        self._film.close()

    def compare_with(self, picture: bytes) -> None:
        """Keep the scene's own picture, a JPEG: who the people are meant to be."""
        self._scene_picture.write_bytes(picture)

    def add(self, look: int, picture: Picture) -> None:
        """Append what was seen at a look."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(width=self.scene.width, height=self.scene.height)
        frame.pts, frame.time_base = len(self.looks), Fraction(1, FPS)
        self._film.mux(self._stream.encode(frame))
        self.looks.append(look)

    def judged(self) -> dict[int, tuple[float, ...]]:
        """Give each person's distance to the scene's picture, at looks that found everybody.

        Blocks, for a fraction of a second a face.

        Raises:
            BenchError: when the judges cannot judge; the film stays.
        """
        if not self.looks:
            return {}
        report = self.path.with_suffix(".json")
        words = ["bench", "quality", str(self.path), "--people", str(self.scene.people)]
        if self._scene_picture.exists():
            words += ["--reference", str(self._scene_picture)]
        told = judge([*words, "--json", str(report)], report)
        return distances(told, self.looks)


def distances(report: dict[str, Any], looks: Sequence[int]) -> dict[int, tuple[float, ...]]:
    """Read the judges' report of a time lapse; by look, where everybody was found.

    Args:
        report: of `parley bench quality`.
        looks: of the film's pictures.
    """
    people = [
        dict(zip(_looks(each["identity"], looks), each["identity"]["distances"], strict=True))
        for each in report["people"]
        if each["identity"] is not None
    ]
    if not people or len(people) < len(report["people"]):
        return {}
    everybody = set.intersection(*(set(each) for each in people))
    return {look: tuple(each[look] for each in people) for look in sorted(everybody)}


def _looks(identity: dict[str, Any], looks: Sequence[int]) -> list[int]:
    return [looks[round(each * FPS)] for each in identity["times_s"]]


def with_identity(
    samples: Sequence[Sample], rooms: Sequence[dict[int, tuple[float, ...]]]
) -> list[Sample]:
    """Add to each look what the judges said of it, where they know everybody in all rooms."""
    return [
        replace(each, identity=sum((room[look] for room in rooms), ()))
        if rooms and all(look in room for room in rooms)
        else each
        for look, each in enumerate(samples)
    ]
