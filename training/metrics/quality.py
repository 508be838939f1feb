"""Judge a talking video: every score of every person, as values.

Shape letters: T video frames, P people. What each score means: docs/judges.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models.errors import InputError
from training.metrics.binding import Binding, Mover, binding, movers
from training.metrics.drift import (
    FaceDrift,
    PictureDrift,
    Series,
    every_second,
    relative_slope,
    slope_per_minute,
)
from training.metrics.face_detections import InteractivityScore, SpeakingIntervals
from training.metrics.face_reading import FaceReading
from training.metrics.fidelity import Fidelity
from training.metrics.identity import distances
from training.metrics.interactivity import interactivity
from training.metrics.lip_sync import LipClosure, LipSync, lip_closure, lip_sync
from training.metrics.motion import MouthMotion, jitter, mouth_motion
from training.metrics.observation import Observation
from training.metrics.published_interactivity import PEOPLE, published_interactivity
from training.metrics.speech_activity import intervals
from training.metrics.tracks import FaceTracks
from training.studio.performance_data import Phone

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FIRST_LOOKS = 2  # seconds that stand for the reference when no picture is given


class Heard(NamedTuple):
    """What the sound says of one person."""

    expected: Floats  # [T] how far the mouth should be open
    phones: tuple[Phone, ...]
    is_speaking: Flags  # [T]
    source: str  # "curves" when true curves were given, else "heard"


class IdentityScore(NamedTuple):
    """Distances of one face to its reference; about .25 for one person, .65 for two."""

    reference: str  # "picture" or "first seconds"
    mean: float
    worst: float  # the 95th percentile
    over_time: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonQuality:
    """The scores of one person; None where something could not be measured."""

    detected: float  # part of the frames in which the face was found
    sync: LipSync
    sync_source: str
    mouth_motion: MouthMotion
    closure: LipClosure
    identity: IdentityScore | None
    drift: FaceDrift
    jitter: float | None
    speech_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The scores of a video."""

    frames: int
    fps: float
    people: tuple[PersonQuality, ...]  # from the left
    audio_source: str
    is_mixed: bool
    binding: Binding
    timeline: tuple[Mover, ...]
    sync_matrix: tuple[tuple[float | None, ...], ...]  # [voice][seat] r; empty when mixed
    drift: PictureDrift
    flicker: float | None
    interactivity: InteractivityScore
    published: InteractivityScore | None  # defined for two people only
    fidelity: Fidelity | None


def judge(
    seen: Observation,
    tracks: FaceTracks,
    heard: Sequence[Heard],
    references: Sequence[NDArray[np.float64]] | None,
    audio: tuple[str, bool],
) -> Quality:
    """Compute every score from what was seen and heard.

    Args:
        seen: the watched video.
        tracks: its faces by person.
        heard: for each person.
        references: a descriptor [128] for each person, or None to take the first seconds.
        audio: where the sound is from, and whether it is a mix of several people.
    """
    source, is_mixed = audio
    speaking = np.stack([each.is_speaking for each in heard], axis=1)
    is_separate = not is_mixed and source != "none"
    timeline = movers(tracks.mouth_opening, speaking, tracks.fps) if is_separate else []
    said: SpeakingIntervals | None = None
    if is_separate:
        said = [intervals(flags, tracks.fps) for flags in speaking.T]
    faces = tracks.detections()
    return Quality(
        frames=tracks.frames,
        fps=tracks.fps,
        people=tuple(
            _person(tracks, p, heard[p], references[p] if references else None)
            for p in range(tracks.people)
        ),
        audio_source=source,
        is_mixed=is_mixed,
        binding=binding(timeline, tracks.people),
        timeline=tuple(timeline),
        sync_matrix=_sync_matrix(tracks, heard) if is_separate else (),
        drift=_picture_drift(seen, tracks.fps),
        flicker=seen.flicker,
        interactivity=interactivity(faces, tracks.people, said),
        published=published_interactivity(faces, said) if tracks.people == PEOPLE else None,
        fidelity=seen.fidelity,
    )


def read_references(path: Path, people: int, faces: Sequence[FaceReading]) -> list[Floats]:
    """Give the descriptors of a reference picture's faces, from the left.

    Raises:
        InputError: when the picture shows fewer faces than the video has people.
    """
    if len(faces) < people:
        raise InputError(
            f"{path} shows {len(faces)} faces but {people} people are judged; give a picture with "
            "all of them in their order from the left, or --people"
        )
    largest = sorted(faces, key=lambda face: -face.height_px)[:people]
    ordered = sorted(largest, key=lambda face: float(face.center[0]))
    return [face.look.descriptor for face in ordered if face.look is not None]


def open_picture(path: Path) -> Image.Image:
    """Read a picture file.

    Raises:
        InputError: when it is none.
    """
    try:
        return Image.open(path).convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{path} cannot be read as a picture: {error}") from error


def _person(tracks: FaceTracks, seat: int, heard: Heard, reference: Floats | None) -> PersonQuality:
    opening = tracks.mouth_opening[:, seat]
    identity = _identity(tracks, seat, reference)
    return PersonQuality(
        detected=float(tracks.is_seen[:, seat].mean()),
        sync=lip_sync(opening, heard.expected),
        sync_source=heard.source,
        mouth_motion=mouth_motion(opening, heard.is_speaking, tracks.fps),
        closure=lip_closure(opening, heard.phones, tracks.fps),
        identity=identity,
        drift=_face_drift(tracks, seat, identity),
        jitter=jitter(tracks.center_px[:, seat], tracks.face_height_px[:, seat]),
        speech_s=float(heard.is_speaking.sum() / tracks.fps),
    )


def _identity(tracks: FaceTracks, seat: int, reference: Floats | None) -> IdentityScore | None:
    looks = tracks.looks[seat]
    if not looks:
        return None
    descriptors = np.stack([look.descriptor for look in looks.values()])
    is_given = reference is not None
    base = reference if reference is not None else descriptors[:FIRST_LOOKS].mean(0)
    apart = distances(descriptors, base)
    return IdentityScore(
        reference="picture" if is_given else "first seconds",
        mean=float(apart.mean()),
        worst=float(np.percentile(apart, 95)),
        over_time=Series(np.array(list(looks), np.float64) / tracks.fps, apart),
    )


def look_series(values: Mapping[int, float], fps: float) -> Series:
    """Line up what was looked at once a second, by frame."""
    times = np.array(list(values), np.float64) / fps
    return Series(times, np.array(list(values.values()), np.float64))


def _picture_drift(seen: Observation, fps: float) -> PictureDrift:
    lab = [
        slope_per_minute(look_series({t: float(x.lab[i]) for t, x in seen.looks.items()}, fps))
        for i in range(3)
    ]
    sharp = relative_slope(look_series({t: x.sharpness for t, x in seen.looks.items()}, fps))
    return PictureDrift(lab[0], lab[1], lab[2], sharp)


def _face_drift(tracks: FaceTracks, seat: int, identity: IdentityScore | None) -> FaceDrift:
    looks, fps = tracks.looks[seat], tracks.fps
    lab = [
        slope_per_minute(look_series({t: float(x.lab[i]) for t, x in looks.items()}, fps))
        for i in range(3)
    ]
    height = tracks.face_height_px[:, seat]
    place = tracks.center_px[:, seat] / height[:, None] * 100
    return FaceDrift(
        lightness=lab[0],
        green_red=lab[1],
        blue_yellow=lab[2],
        sharpness_percent=relative_slope(
            look_series({t: x.sharpness for t, x in looks.items()}, fps)
        ),
        identity=slope_per_minute(identity.over_time) if identity else None,
        size_percent=relative_slope(every_second(height, fps)),
        shape_percent=relative_slope(every_second(tracks.eye_span[:, seat], fps)),
        x_percent=slope_per_minute(every_second(place[:, 0], fps)),
        y_percent=slope_per_minute(every_second(place[:, 1], fps)),
    )


def _sync_matrix(
    tracks: FaceTracks, heard: Sequence[Heard]
) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(lip_sync(mouth, each.expected).r for mouth in tracks.mouth_opening.T)
        for each in heard
    )
