"""Pictures of real people of the studio; needs the downloaded assets."""

import dataclasses
import resource
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from models.errors import InputError
from training.studio.assets import asset_folder
from training.studio.people.library import Library
from training.studio.people.pose import Moment
from training.studio.performance_data import ARKIT, FPS, Performance
from training.studio.stage.preview import moment_with
from training.studio.stage.renderer import Renderer, resting_moment
from training.studio.stage.scene import sample_scene
from training.studio.stage.truth import Frame

pytestmark = pytest.mark.studio


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(Library(asset_folder()), samples=1) as opened:
        yield opened


def draw(renderer: Renderer, seed: int, *faces: Mapping[str, float]) -> list[Frame]:
    with renderer.open(sample_scene(seed, people=1)) as stage:
        return [stage.draw([moment_with(face)]) for face in faces]


def looking(target: tuple[float, float, float]) -> Moment:
    return dataclasses.replace(resting_moment(), gaze_target=np.array(target, np.float32))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_lip_gap_grows_with_the_jaw_and_closes_with_the_lips(
    renderer: Renderer, seed: int
) -> None:
    opening = [{"jawOpen": x / 10} for x in range(6)]
    closing = [{"mouthPress": 0.5}, {"jawOpen": 0.15, "mouthClose": 0.16, "mouthPress": 0.4}]
    frames = draw(renderer, seed, *opening, *closing)
    gaps = [frame.truth.people[0].lip_gap_mm for frame in frames]
    assert (np.diff(gaps[:6]) > 1.0).all()
    assert max(gaps[6:]) <= 0.0


def test_an_opening_mouth_is_seen_and_its_landmarks_move_apart(renderer: Renderer) -> None:
    scene = sample_scene(2, people=1)
    with renderer.open(scene) as stage:
        names = stage.landmark_names
        shut, wide = (stage.draw([moment_with({"jawOpen": x})]) for x in (0.0, 0.5))
    upper, lower = names.index("upper_lip"), names.index("lower_lip")
    apart = [
        f.truth.people[0].landmarks[lower, 1] - f.truth.people[0].landmarks[upper, 1]
        for f in (shut, wide)
    ]
    assert apart[1] - apart[0] > 5
    top, bottom = wide.truth.people[0].landmarks[[upper, lower], 1].astype(int)
    x = int(wide.truth.people[0].landmarks[upper, 0])
    inside = (slice(top + 1, bottom), slice(x - 3, x + 4))
    assert np.abs(wide.picture[inside].astype(int) - shut.picture[inside]).mean() > 20


def test_eyes_look_where_told(renderer: Renderer) -> None:
    scene = sample_scene(4, people=1)
    with renderer.open(scene) as stage:
        frames = {
            name: stage.draw([looking(target)])
            for name, target in {
                "camera": (0.0, 0.0, 0.0),
                "left": (-1.0, 0.0, 0.0),
                "right": (1.0, 0.0, 0.0),
            }.items()
        }
    gaze = {name: frame.truth.people[0].gaze.mean(0) for name, frame in frames.items()}
    assert gaze["left"][0] < gaze["camera"][0] - 0.2 < gaze["right"][0] - 0.4
    eyes = np.array(scene.seats[0].eyes_m)
    np.testing.assert_allclose(gaze["camera"], -eyes / np.linalg.norm(eyes), atol=0.02)
    assert (frames["left"].picture != frames["right"].picture).any()


def test_two_peoples_masks_are_disjoint_and_cover_their_faces(renderer: Renderer) -> None:
    scene = sample_scene(6, people=2)
    frame = renderer.render_frame(scene, [resting_moment()] * 2)
    assert set(np.unique(frame.truth.mask)) == {0, 1, 2}
    for number, person in enumerate(frame.truth.people, start=1):
        face = person.face
        inside = frame.truth.mask[face.top : face.bottom, face.left : face.right]
        assert (inside == number).mean() > 0.75
        assert ((inside != number) & (inside != 0)).mean() < 0.01
        assert person.visible is not None
        assert person.visible.left <= face.left
        x, y = person.landmarks.astype(int).T
        assert (frame.truth.mask[y, x] == number).all()


def test_the_same_seed_gives_the_same_bytes_in_a_new_context() -> None:
    pictures = []
    for _ in range(2):
        with Renderer(Library(asset_folder()), samples=2) as renderer:
            frame = renderer.render_frame(sample_scene(9, people=1), [resting_moment()])
            pictures.append((frame.picture.tobytes(), frame.truth.mask.tobytes()))
    assert pictures[0] == pictures[1]


def test_two_seeds_give_two_people(renderer: Renderer) -> None:
    first, second = (
        renderer.render_frame(sample_scene(seed, people=1), [resting_moment()]).picture
        for seed in (20, 21)
    )
    assert np.abs(first.astype(int) - second).mean() > 10


@pytest.mark.parametrize("seed", range(30, 38))
def test_anyone_is_drawn_with_a_visible_face(renderer: Renderer, seed: int) -> None:
    (frame,) = draw(renderer, seed, {})
    person = frame.truth.people[0]
    assert person.face.bottom - person.face.top > 60
    face = frame.picture[person.face.top : person.face.bottom, person.face.left : person.face.right]
    assert face.std() > 12  # eyes, brows, mouth and shade
    assert (face.min(-1) >= 254).mean() < 0.01  # no clipped skin
    # What the eyes' landmarks show is eye and skin: hair never covers both eyes.
    assert -3 < person.lip_gap_mm < 3


def test_breathing_moves_the_chest_and_not_the_face(renderer: Renderer) -> None:
    scene = sample_scene(12, people=1, framing="wide")
    rest = resting_moment()
    with renderer.open(scene) as stage:
        out, full = (
            stage.draw([dataclasses.replace(rest, breath=breath)]) for breath in (0.0, 1.0)
        )
    changed = (out.picture != full.picture).any(-1)
    assert changed[-60:].mean() > 0.02
    np.testing.assert_array_equal(out.truth.people[0].landmarks, full.truth.people[0].landmarks)


def test_a_clip_needs_a_performance_for_each_person(renderer: Renderer) -> None:
    with pytest.raises(InputError, match="2 performances"):
        next(renderer.render_clip(sample_scene(0, people=2), [performance(3)]))


def test_a_clip_has_a_frame_for_each_step_and_memory_does_not_grow(renderer: Renderer) -> None:
    scene = sample_scene(0, people=1)
    clip = renderer.render_clip(scene, [performance(60)])
    seen = []
    for index, frame in enumerate(clip):
        seen.append(frame.truth.people[0].lip_gap_mm)
        if index == 9:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(seen) == 60
    assert max(seen) > min(seen) + 5
    assert grown_kib < 4_000


def performance(frames: int) -> Performance:
    curves = np.zeros((frames, len(ARKIT)), np.float32)
    curves[:, ARKIT.index("jawOpen")] = 0.2 + 0.2 * np.sin(np.arange(frames))
    zeros = np.zeros((frames, 3), np.float32)
    return Performance(
        curves=curves,
        head_rad=zeros,
        gaze_target=zeros,
        breath=np.zeros(frames, np.float32),
        lean_m=zeros,
        samples=np.zeros(frames * 16_000 // FPS, np.float32),
        phones=(),
        is_speaking=np.ones(frames, np.bool_),
        acts=(),
    )
