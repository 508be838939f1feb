"""Rendered dialogues made again from one picture and the voices, and both judged alike.

What a bundle makes of a scene is compared with what the scene was: the same voices, the same first
picture, the same judges. The truth sets the scale, for judges are no better than they are.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import InputError
from training.metrics.known_curves import read_known_mouth
from training.metrics.quality import Quality
from training.metrics.quality_cli import Inputs, run_judges
from training.metrics.studio_clip import SUFFIX, StudioClip, unpack_clip
from training.studio.performance_data import FPS
from training.studio.shards.archive import Shard

SAME_PERSON = 0.45  # identity distances below are one person's: .25 within, .65 between people
BLINKS = 0.4  # a lid that is shut further does not look at anybody
LEAST_SPEECH_S = 0.8  # who speaks less is not judged for speaking

Floats = NDArray[np.float64]


class Person(NamedTuple):
    """One person's scores; None where something could not be measured."""

    lip_r: float | None
    lag_frames: float | None
    bilabials: float | None  # share that is closed
    silence: float | None  # motion of the mouth in silence, of that in speech
    same_person: float | None  # share of looks that are nearer than `SAME_PERSON`
    speech_s: float


class Shown(NamedTuple):
    """One film as judged."""

    people: tuple[Person, ...]
    right: int  # windows in which who speaks moves
    windows: int
    interactivity: float | None  # ours
    published: float | None


class Dialogue(NamedTuple):
    """One clip, as it was and as it was made again."""

    name: str
    true: Shown
    made: Shown


def judge_dialogues(
    shards: Sequence[Path],
    bundle: Path,
    count: int,
    films: Path,
    options: Sequence[str],
    on_clip: Callable[[str], None],
) -> list[Dialogue]:
    """Make the first clips of shards again by `parley render`, and judge; blocks for minutes.

    Args:
        shards: rendered clips of the test split.
        bundle: what makes them again.
        count: how many clips.
        films: folder for pictures, voices and films, which stay there.
        options: more options of `parley render`.
        on_clip: hears each clip's name when it is done, or why it is left out: a film that cannot
            be made, a face that is not found in its picture.

    Raises:
        InputError: when no clip is left.
    """
    found: list[Dialogue] = []
    for shard, key in _clips(shards):
        if len(found) == count:
            break
        name = f"{shard.stem}-{key}"
        folder = films / name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            found.append(_judged(name, unpack_clip(shard, key, folder), folder, bundle, options))
        except InputError as error:
            on_clip(f"{name} is left out: {error}")
        else:
            on_clip(name)
    if not found:
        raise InputError("no clips were judged; name shards of `parley train studio render`")
    return found


def _clips(shards: Sequence[Path]) -> Iterable[tuple[Path, str]]:
    for shard in shards:
        files = sorted(shard.glob(f"*{SUFFIX}")) if shard.is_dir() else [shard]
        for file in files:
            for key in Shard.open(file).clips:
                yield file, key


def _judged(
    name: str, clip: StudioClip, folder: Path, bundle: Path, options: Sequence[str]
) -> Dialogue:
    picture, film = folder / "picture.png", folder / "made.mp4"
    frames = _frames(clip.video)
    mouths = [read_known_mouth(path, len(frames), FPS).opening for path in clip.curves.values()]
    Image.fromarray(frames[calmest(mouths, clip.lids[:, : len(frames)])]).save(picture)
    command = [sys.executable, "-m", "parley", "render", "--bundle", str(bundle)]
    command += ["--scene", str(picture), "--out", str(film), *options]
    for seat, voice in clip.audio.items():
        command += ["--audio", f"{seat}={voice}"]
    ran = subprocess.run(  # noqa: S603  # ourselves, no shell
        command, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise InputError(f"{name} could not be made: {ran.stderr.strip().splitlines()[-1:]}")

    def shown(video: Path) -> Shown:
        inputs = Inputs(video, clip.audio, clip.curves, picture, None, len(clip.audio))
        return shown_of(run_judges(inputs).quality)

    return Dialogue(name, shown(clip.video), shown(film))


def calmest(mouths: Sequence[Floats], lids: Floats) -> int:
    """Give the frame in which mouths, each [T], are closed best: pictures are mostly so.

    Nobody's lids [P, T] may be shut in it, unless somebody's always are.
    """
    opened = np.nansum([mouth / max(float(np.nanmax(mouth)), 1e-6) for mouth in mouths], axis=0)
    is_awake = lids.max(0) < BLINKS
    if is_awake.any():
        opened = np.where(is_awake, opened, np.inf)
    return int(opened.argmin())


def _frames(video: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(video)) as opened:
        decoded = (frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0))
        return [np.asarray(frame, np.uint8) for frame in decoded]


def shown_of(quality: Quality) -> Shown:
    """Take from a judgement what dialogues are compared by."""
    people = []
    for each in quality.people:
        speaks = each.speech_s >= LEAST_SPEECH_S
        motion = each.mouth_motion
        share = None
        if motion.speech and motion.silence is not None and speaks:
            share = motion.silence / motion.speech
        near = None
        if each.identity is not None:
            near = float((each.identity.over_time.values < SAME_PERSON).mean())
        people.append(
            Person(
                lip_r=each.sync.r if speaks else None,
                lag_frames=each.sync.lag_frames if speaks else None,
                bilabials=each.closure.rate,
                silence=share,
                same_person=near,
                speech_s=each.speech_s,
            )
        )
    counted = quality.binding
    accuracy = counted.accuracy if counted.accuracy is not None else 0.0
    return Shown(
        tuple(people),
        right=round(accuracy * counted.windows),
        windows=counted.windows,
        interactivity=quality.interactivity.overall,
        published=quality.published.overall if quality.published else None,
    )


class Summary(NamedTuple):
    """Means over all clips; None where nothing could be measured."""

    lip_r: float | None
    lip_r_median: float | None
    lag_within_one: float | None  # share of people
    bilabials: float | None
    silence: float | None
    binding: float | None
    same_person: float | None
    interactivity: float | None
    published: float | None


def summary(shown: Sequence[Shown]) -> Summary:
    """Sum films up."""
    people = [person for film in shown for person in film.people]
    windows = sum(film.windows for film in shown)
    lags = _known([person.lag_frames for person in people])
    rs = _known([person.lip_r for person in people])
    return Summary(
        lip_r=_mean(rs),
        lip_r_median=statistics.median(rs) if rs else None,
        lag_within_one=_mean([float(abs(lag) <= 1) for lag in lags]),
        bilabials=_mean(_known([person.bilabials for person in people])),
        silence=_mean(_known([person.silence for person in people])),
        binding=sum(film.right for film in shown) / windows if windows else None,
        same_person=_mean(_known([person.same_person for person in people])),
        interactivity=_mean(_known([film.interactivity for film in shown])),
        published=_mean(_known([film.published for film in shown])),
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and np.isfinite(value)]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
