"""The bundle that comes with Parley, as users meet it: whole, with scenes, and moved by voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from engines.architectures import cell_room
from engines.architectures.face_bend import FaceBender
from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle
from engines.command_line import find_bundle, start_engine
from engines.conversation import Turn, read_conversation
from engines.manifest import FPS, SAMPLE_RATE, check_file
from engines.scene.scene import Scene
from engines.scene.store import ready_scene
from engines.scenes_cli import app as scenes_app
from engines.stream import AvatarStream

SECONDS = 2.4
DEMO_SCENE = "amina-and-ruth"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return find_bundle(None)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Iterator[AvatarEngine]:
    started, _ = start_engine(bundle, "onnxruntime", 1)
    with started:
        yield started


@pytest.fixture(scope="module")
def turns(bundle: Bundle) -> tuple[Turn, ...]:
    return read_conversation(bundle)


def test_every_file_is_as_the_manifest_says(bundle: Bundle) -> None:
    for entry in {file.path: file for file in bundle.manifest.files}.values():
        check_file(bundle.folder, entry)
    named = {file.path for file in bundle.manifest.files} | {"bundle.json", "README.md"}
    found = {
        path.relative_to(bundle.folder).as_posix()
        for path in bundle.folder.rglob("*")
        if path.is_file()
    }
    assert found <= named, "nothing lies in a bundle that its manifest does not know"


def test_weights_were_trained_and_every_network_met_its_bound(bundle: Bundle) -> None:
    assert "Random" not in bundle.manifest.model_card
    measured = {each.network for each in bundle.manifest.parity}
    assert measured == {entry.key for entry in bundle.manifest.networks}
    rolled = [each for each in bundle.manifest.parity if each.network.startswith("dit")]
    assert all(each.chunks >= 50 for each in rolled)


def test_ten_scenes_with_one_to_three_people_are_ready(bundle: Bundle) -> None:
    scenes = [ready_scene(bundle, entry.name) for entry in bundle.manifest.scenes]
    assert Counter(scene.size.people for scene in scenes) == {1: 3, 2: 4, 3: 3}
    for scene in scenes:
        assert len(scene.people_names) == scene.size.people
        assert scene.prompt
        assert min(box.width for box in scene.boxes) >= 40
    result = CliRunner().invoke(scenes_app, ["list"])
    assert result.exit_code == 0
    assert DEMO_SCENE in result.stdout


def test_the_conversation_is_between_two_and_loud_enough(turns: tuple[Turn, ...]) -> None:
    assert [turn.speaker for turn in turns] == [0, 1] * (len(turns) // 2)
    for turn in turns:
        assert 1 < len(turn.samples) / SAMPLE_RATE < 8
        assert np.abs(turn.samples).max() > 0.1


def mouth_motion(scene: Scene, frames: NDArray[np.uint8]) -> list[float]:
    """Measure how much each lower face [T, H, W, 3] changes from frame to frame, in gray levels.

    Heads are still on their way to each other in the first second, and move slowly later.
    """
    moved = []
    for box in scene.boxes:
        rows = slice(int(box.top + 0.6 * box.height), int(box.bottom))
        columns = slice(int(box.left + 0.2 * box.width), int(box.right - 0.2 * box.width))
        lower = frames[FPS:, rows, columns].astype(np.float32).mean(-1)
        moved.append(float(np.abs(np.diff(lower, axis=0)).mean()))
    return moved


@pytest.mark.parametrize("speaker", [0, 1])
def test_the_mouth_of_whoever_speaks_moves_more(
    engine: AvatarEngine, bundle: Bundle, turns: tuple[Turn, ...], speaker: int
) -> None:
    scene = ready_scene(bundle, DEMO_SCENE)
    voice = next(turn.samples for turn in turns if turn.speaker == speaker)
    with AvatarStream(engine, scene) as stream:
        stream.join(speaker)
        count = int(SECONDS / stream.chunk_seconds)
        stream.push(speaker, voice[: (count + 1) * stream.chunk_samples])
        frames = np.concatenate([stream.make_chunk().frames for _ in range(count)])
    moved = mouth_motion(scene, frames)
    assert moved[speaker] > 1.3 * moved[1 - speaker], moved
    assert frames.std() > 20, "a picture, not a gray field"


@pytest.mark.parametrize(("seat", "place"), [(0, "left"), (1, "right")])
def test_who_is_asked_to_be_angry_is_and_nobody_else(
    bundle: Bundle, engine: AvatarEngine, seat: int, place: str
) -> None:
    scene = ready_scene(bundle, DEMO_SCENE)

    def filmed(prompt: str) -> NDArray[np.float64]:
        with AvatarStream(engine, scene, prompt=prompt) as stream:
            count = int(SECONDS / stream.chunk_seconds)
            frames = [stream.make_chunk().frames for _ in range(count)]
        # Of a mean a blink leaves little.
        return np.asarray(np.concatenate(frames)[FPS:].mean(0), np.float64)

    calm = filmed("A person on the left, sitting quietly; a person on the right, sitting quietly.")
    other = "right" if place == "left" else "left"
    asked = filmed(
        f"A person on the {place}, clearly angry; a person on the {other}, sitting quietly."
    )
    brows = [forehead(scene, person) for person in (0, 1)]
    moved = [float(np.abs(asked - calm)[span].mean()) for span in brows]
    assert moved[seat] > 1.0
    assert moved[seat] > 2 * moved[1 - seat], moved


def forehead(scene: Scene, person: int) -> tuple[slice, slice]:
    """Give the upper half of a face, brows in its middle."""
    left, top, right, bottom = (round(edge) for edge in scene.boxes[person])
    return slice(top, (top + bottom) // 2), slice(left, right)


def test_marks_of_faces_are_read_from_the_picture(
    bundle: Bundle, engine: AvatarEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[NDArray[np.float32]] = []

    def bender(marks: NDArray[np.float32], side: int) -> FaceBender:
        read.append(marks)
        return FaceBender(marks, side)

    monkeypatch.setattr(cell_room, "FaceBender", bender)
    with AvatarStream(engine, ready_scene(bundle, DEMO_SCENE)) as stream:
        for _ in range(3):
            stream.make_chunk()
    assert len(read) == 2, "once for everybody"
    for left, right, mouth in read:
        assert 0.25 < left[0] < right[0] - 0.1 < 0.75
        assert 0.3 < left[1] < 0.5
        assert abs(left[1] - right[1]) < 0.08
        assert left[0] < mouth[0] < right[0]
        assert 0.55 < mouth[1] < 0.8


def test_the_bundle_fits_the_repository(bundle: Bundle) -> None:
    files = [path for path in bundle.folder.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 32 * 2**20
