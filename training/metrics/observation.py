"""Watch a video once from start to end and keep what the judges need of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from models.errors import InputError
from training.metrics.appearance import (
    FlickerMeter,
    PictureLook,
    face_color_and_sharpness,
    picture_look,
)
from training.metrics.face_mesh import MeshedFace
from training.metrics.face_reading import FaceLook, FaceReading, read_face
from training.metrics.face_watch import FaceWatcher, Watch
from training.metrics.fidelity import Fidelity, FidelityMeter
from training.metrics.identity import FaceDescriber
from training.metrics.video import VideoFormat, read_pictures, video_format

LOOK_EVERY_S = 1.0


class Observation(NamedTuple):
    """A watched video."""

    form: VideoFormat
    frames: list[list[FaceReading]]  # faces of each frame, in any order
    looks: dict[int, PictureLook]  # of whole pictures, by frame, one a second
    flicker: float | None
    fidelity: Fidelity | None  # None when there is no truth to compare with


class Observer:
    """Owns the networks that look at pictures."""

    def __init__(self, assets: Path | None = None) -> None:
        self._watcher = FaceWatcher(assets)
        self._describer = FaceDescriber(assets)

    def watch(
        self,
        video: Path,
        truth: Path | None = None,
        step: Callable[[int], None] = lambda frame: None,
    ) -> Observation:
        """Watch a video frame by frame; `step` hears the number of frames done.

        Memory: about two kilobytes for each face of a frame, whatever the size of the pictures.

        Raises:
            InputError: when a file cannot be read, or the truth is of another size or shorter.
        """
        form = video_format(video)
        every = max(1, round(LOOK_EVERY_S * form.fps))
        others = read_pictures(truth) if truth else None
        meter, flicker, state = FidelityMeter(), FlickerMeter(), Watch()
        frames: list[list[FaceReading]] = []
        looks: dict[int, PictureLook] = {}
        for frame, picture in enumerate(read_pictures(video)):
            faces, state = self._watcher.see(picture, state)
            is_look = frame % every == 0
            if is_look:
                looks[frame] = picture_look(picture)
            readings = [
                read_face(face, self.look(picture, face) if is_look else None) for face in faces
            ]
            frames.append(readings)
            flicker.add(picture)
            if others is not None:
                meter.add(picture, _next(others, frame), [_place(face) for face in readings])
            step(frame + 1)
        return Observation(form, frames, looks, flicker.flicker, meter.fidelity())

    def read(self, pictures: Iterable[Image.Image]) -> list[list[FaceReading]]:
        """Read the faces of pictures that follow each other, without their looks."""
        readings, state = [], Watch()
        for picture in pictures:
            faces, state = self._watcher.see(picture, state)
            readings.append([read_face(face) for face in faces])
        return readings

    def look(self, picture: Image.Image, face: MeshedFace) -> FaceLook:
        """Measure identity, color and sharpness of one face; blocks for tens of milliseconds."""
        color, sharpness = face_color_and_sharpness(picture, face.crop)
        return FaceLook(self._describer.describe(picture, face.points), color, sharpness)

    def faces_of(self, picture: Image.Image) -> list[FaceReading]:
        """Give the faces of a single picture with their looks."""
        faces, _ = self._watcher.see(picture, Watch())
        return [read_face(face, self.look(picture, face)) for face in faces]


def _next(pictures: Iterator[Image.Image], frame: int) -> Image.Image:
    picture = next(pictures, None)
    if picture is None:
        raise InputError(f"the truth ends after {frame} frames, before the video does")
    return picture


def _place(face: FaceReading) -> tuple[float, float, float]:
    x, y = face.center
    return float(x), float(y), face.height_px
