"""Films of a bundle's scenes under prompts, made by `parley render`.

Every scene is filmed with the same seed and silent voices: once under a prompt in which nothing
happens, and once for each act with another prompt from the middle on, which names what one person
does. What differs in the second half, of that person and of the others, is the prompt's doing. An
act that people do anyway is compared with a film in which that person is asked for its opposite.
"""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import InputError
from training.metrics.face_reading import FaceReading
from training.metrics.observation import Observer
from training.metrics.prompt_effects import ACTS, CALM, FPS, Act, Effect, effect, prompt_of
from training.metrics.tracks import seat
from training.metrics.video import read_pictures

HALF_S = 4.0
SETTLING_S = 1.0  # after the change; not measured
SAMPLE_RATE = 16_000


class BundledScene(NamedTuple):
    """A ready scene of the bundle."""

    name: str
    people: int


class _Film(NamedTuple):
    faces: list[list[FaceReading | None]]  # of each frame of the second half, by seat
    shown: NDArray[np.uint8]  # [H, W, 3] a second before its end


class Studio:
    """Films and measures, for minutes; keeps films in a folder."""

    def __init__(self, bundle: Path, films: Path, on_film: Callable[[str], None]) -> None:
        self._bundle = bundle
        self._films = films
        self._on_film = on_film
        self._observer = Observer()
        films.mkdir(parents=True, exist_ok=True)
        _write_silence(films / "silence.wav", 2 * HALF_S)

    def measure(self, scenes: Sequence[BundledScene]) -> list[Effect]:
        """Film scenes under every prompt, the person asked changing from act to act.

        Writes `ACT.png` beside the films: calm, or what an act is instead of, beside the act.

        Raises:
            InputError: when a film cannot be made, or faces in it are not found.
        """
        effects: list[Effect] = []
        sheets: dict[Act, list[NDArray[np.uint8]]] = {act: [] for act in ACTS}
        for place, scene in enumerate(scenes):
            calm = self._film(scene, "calm", prompt_of(scene.people, None, CALM), None)
            for turn, act in enumerate(ACTS):
                if act.needs_others and scene.people == 1:
                    continue
                number = _asked(act, place + turn, scene.people)
                first = prompt_of(scene.people, number, act.instead_of)
                cue = prompt_of(scene.people, number, act.words)
                made = self._film(scene, act.key, first, cue)
                base = calm
                if act.instead_of != CALM:
                    base = self._film(scene, f"not-{act.key}", first, None)
                effects.append(effect(scene.name, act, number, base.faces, made.faces))
                sheets[act].append(np.concatenate([base.shown, made.shown], axis=1))
        for act, rows in sheets.items():
            _write_sheet(self._films / f"{act.key}.png", rows)
        return effects

    def _film(self, scene: BundledScene, name: str, first: str, cue: str | None) -> _Film:
        """Film a scene under the prompt `first`; `cue`, if there is one, follows in the middle."""
        out = self._films / f"{scene.name}-{name}.mp4"
        command = [sys.executable, "-m", "parley", "render", "--bundle", str(self._bundle)]
        command += ["--scene", scene.name, "--prompt", first, "--out", str(out)]
        if cue is not None:
            command += ["--prompt-at", f"{HALF_S}={cue}"]
        for number in range(scene.people):
            command += ["--audio", f"{number}={self._films / 'silence.wav'}"]
        ran = subprocess.run(  # noqa: S603  # ourselves, no shell
            command, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            why = ran.stderr.strip().splitlines()[-1:]
            raise InputError(f"{out.name} could not be made: {why}")
        start = round((HALF_S + SETTLING_S) * FPS)
        pictures = [each for number, each in enumerate(read_pictures(out)) if number >= start]
        faces = seat(self._observer.read(pictures), scene.people)
        self._on_film(out.name)
        return _Film(faces, np.asarray(pictures[-FPS], np.uint8))


def _asked(act: Act, turn: int, people: int) -> int:
    """Choose who is asked: everybody in turn, but for looks at others nobody in the middle."""
    number = turn % people
    is_in_the_middle = 2 * number + 1 == people
    return people - 1 if act.needs_others and is_in_the_middle else number


def bundled_scenes(bundle: Path, names: Sequence[str]) -> list[BundledScene]:
    """Find scenes of a bundle; without names all of them.

    Raises:
        InputError: when the bundle has no such scene, or none at all.
    """
    known = {}
    for file in sorted(bundle.glob("scenes/*/scene.json")):
        described = json.loads(file.read_text())
        known[described["name"]] = BundledScene(described["name"], described["size"]["people"])
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        has = ", ".join(known) or "none"
        raise InputError(f"{bundle} has no scene {', '.join(unknown)}; it has {has}")
    return [known[name] for name in names or known]


def _write_silence(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(bytes(2 * round(SAMPLE_RATE * seconds)))


def _write_sheet(path: Path, rows: Sequence[NDArray[np.uint8]]) -> None:
    if not rows:
        return
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    Image.fromarray(np.concatenate(padded)).save(path)
