"""Does a prompt change what people do? The same film with and without it, measured on the faces.

Shape letters: T video frames, P people.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.metrics.face_reading import SCHEME_106, FaceReading

Floats = NDArray[np.float64]

FPS = 25
PLACES = {1: ("",), 2: ("on the left", "on the right")}
PLACES[3] = ("on the left", "in the middle", "on the right")
CALM = "sitting quietly"
TURNED, NODDING = "turned to others", "nodding"

# Points of the mesh (see face_reading), and what is measured with them in face heights.
_CORNERS, _BROWS, _EYES = (61, 291), ((105, 334), (66, 296)), (33, 263)
_IRISES, _INNER_EYES = (468, 473), (133, 362)


class Act(NamedTuple):
    """Something that a prompt asks for, and where it must show."""

    name: str
    words: str
    measure: str
    sign: int  # +1 when the measure must grow
    instead_of: str = CALM  # what the same person does in the film that it is compared with

    @property
    def key(self) -> str:
        """Give its name as a file has it."""
        return self.name.replace(" ", "-")

    @property
    def needs_others(self) -> bool:
        """Whether somebody who is alone cannot do it."""
        return self.measure == TURNED


ACTS = (
    Act("smiling", "clearly smiling", "mouth width", +1),
    Act("angry", "clearly angry", "brow height", -1),
    Act("surprised", "clearly surprised", "brow height", +1),
    Act("nodding", "nodding the head", NODDING, +1),
    # People who sit quietly look at each other anyway: only from the camera is there a way to go.
    Act("looking at the camera", "looking at the camera", TURNED, -1),
    Act("looking at the other", "turning to the other", TURNED, +1, "looking at the camera"),
)


class Effect(NamedTuple):
    """What one prompt did in one scene."""

    scene: str
    act: str
    seat: int
    before: float  # the measure in the calm film, second half
    after: float  # with the prompt
    deviation: float  # of the measure between frames of the calm film
    others: tuple[float, ...]  # changes of everybody else's

    @property
    def size(self) -> float:
        """The change in deviations (Glass's delta)."""
        return (self.after - self.before) / self.deviation


def prompt_of(people: int, seat_number: int | None, words: str) -> str:
    """Describe a scene in which one person does something and the others nothing.

    Raises:
        InputError: when nobody knows how to say who sits where.
    """
    if people not in PLACES:
        raise InputError(f"prompts are measured with 1 to {len(PLACES)} people, not {people}")
    said = [
        f"A person {place}, {words if number == seat_number else CALM}".replace(" ,", ",")
        for number, place in enumerate(PLACES[people])
    ]
    return "; ".join(said) + "."


def effect(
    scene: str,
    act: Act,
    number: int,
    still: Sequence[Sequence[FaceReading | None]],
    moved: Sequence[Sequence[FaceReading | None]],
) -> Effect:
    """Compare the calm and the prompted film [T][P], for the person asked and for the others.

    Raises:
        InputError: when somebody's face is seen in less than half of a film.
    """
    changes = []
    for person in range(len(still[0])):
        before, after = (
            _measured(act.measure, [faces[person] for faces in film], person, len(still[0]))
            for film in (still, moved)
        )
        changes.append((before, after))
    before, after = changes[number]
    others = tuple(
        float(np.mean(b) - np.mean(a)) for n, (a, b) in enumerate(changes) if n != number
    )
    return Effect(
        scene,
        act.name,
        number,
        before=float(np.mean(before)),
        after=float(np.mean(after)),
        deviation=max(float(np.std(before)), 1e-4),
        others=others,
    )


def _measured(name: str, faces: Sequence[FaceReading | None], person: int, people: int) -> Floats:
    seen = [face for face in faces if face is not None]
    if 2 * len(seen) < len(faces):
        raise InputError(
            f"person {person + 1}'s face is seen in {len(seen)} of {len(faces)} frames"
        )
    if name == NODDING:
        heights = np.array([face.center[1] / face.height_px for face in seen])
        around = np.convolve(heights, np.full(FPS, 1 / FPS), mode="valid")
        swings: Floats = np.abs(heights[FPS // 2 :][: len(around)] - around)
        return swings
    measure = {"mouth width": _mouth_width, "brow height": _brow_height}.get(name)
    if measure is not None:
        return np.array([measure(face) for face in seen])
    to_others = 1.0 if person < people / 2 else -1.0  # to the viewer's right from the left half
    return np.array([to_others * _turn(face) for face in seen])


def _point(face: FaceReading, of_mesh: int) -> Floats:
    return np.asarray(face.landmarks[int(np.flatnonzero(of_mesh == SCHEME_106)[0])], np.float64)


def _mid(face: FaceReading, points: tuple[int, int]) -> Floats:
    return (_point(face, points[0]) + _point(face, points[1])) / 2


def _mouth_width(face: FaceReading) -> float:
    left, right = (_point(face, corner) for corner in _CORNERS)
    return float(np.linalg.norm(right - left)) / face.height_px


def _brow_height(face: FaceReading) -> float:
    brows = np.mean([_mid(face, pair) for pair in _BROWS], axis=0)
    return float(_mid(face, _EYES)[1] - brows[1]) / face.height_px


def _turn(face: FaceReading) -> float:
    """Give how far face and irises are to the viewer's right: both go along when heads turn."""
    corners = (_mid(face, _EYES) + _mid(face, _INNER_EYES)) / 2
    irises = _mid(face, _IRISES)[0] - corners[0]
    return float(face.center[0] + irises) / face.height_px


class Summary(NamedTuple):
    """One act over all scenes."""

    act: str
    measure: str
    scenes: int
    change: float  # median, in face heights
    size: float  # median, in deviations
    right: float  # share of scenes where it has the right sign
    others: float  # median change of the others, in face heights


def summary(effects: Sequence[Effect]) -> list[Summary]:
    """Sum effects up by act."""
    lines = []
    for act in ACTS:
        found = [each for each in effects if each.act == act.name]
        if not found:
            continue
        others = [change for each in found for change in each.others]
        lines.append(
            Summary(
                act.name,
                act.measure,
                len(found),
                statistics.median(each.after - each.before for each in found),
                statistics.median(each.size for each in found),
                sum(act.sign * each.size > 0 for each in found) / len(found),
                statistics.median(others) if others else 0.0,
            )
        )
    return lines
