"""Pictures of users: found faces, corrected boxes, rooms opened with them; on a toy bundle."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engines.scene.boxes import Box
from engines.scene.scene import Caption
from streamer.http.scene_shelf import BundleShelf, Upload
from streamer.rooms.opening import Opened, RoomSpec
from streamer.server import build
from streamer.stage import Stage
from tests.engines import toy_bundle
from tests.streamer.http.house import House, PretendedPeers, running_house, settings

JPEG = {"Content-Type": "image/jpeg"}
FACES = (Box(30, 30, 140, 140), Box(160, 30, 270, 140))
PATH = "/scenes?name=us&consent=both+of+us"


class PretendedDetector:
    """Finds these faces, whatever it sees."""

    def __init__(self) -> None:
        self.faces: tuple[Box, ...] = FACES

    def find(self, pixels: NDArray[np.uint8]) -> tuple[Box, ...]:
        return self.faces


@pytest.fixture
def detector() -> PretendedDetector:
    return PretendedDetector()


@pytest.fixture
def shelves(tmp_path: Path) -> tuple[BundleShelf, BundleShelf]:
    """Give the shelves of two processes with the same bundle."""
    bundle = toy_bundle.build(tmp_path / "toy")
    return BundleShelf(bundle, PretendedDetector(), most=2), BundleShelf(bundle, None, most=2)


@pytest.fixture
def toy_house(tmp_path: Path, detector: PretendedDetector) -> Iterator[House]:
    def open_nothing(spec: RoomSpec) -> Opened:
        raise AssertionError("no room is opened here")

    shelf = BundleShelf(toy_bundle.build(tmp_path / "toy"), detector, most=2)
    stage = Stage(opener=open_nothing, shelf=shelf, about="toy", close=lambda: None)
    peers = PretendedPeers()
    with running_house(build(settings(), stage, peers), peers) as running:
        yield running


def picture(width: int = 300, height: int = 150) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "where we live"  # ImageDescription
    Image.fromarray(noise).save(file, "JPEG", exif=exif)
    return file.getvalue()


def upload(running: House, path: str = PATH) -> dict[str, Any]:
    answer = running.client.post(path, content=picture(), headers=JPEG)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/scenes/{answer.json()['id']}"
    card: dict[str, Any] = answer.json()
    return card


def test_faces_are_found_and_the_scene_is_ready(toy_house: House) -> None:
    card = upload(toy_house)
    assert (card["is_ready"], card["people"], card["origin"]) == (True, 2, "upload")
    assert card["boxes"] == [list(box) for box in FACES]
    assert (card["picture_width"], card["width"]) == (300, toy_bundle.SIZE.width)
    listed = toy_house.client.get("/scenes").json()
    assert [each["origin"] for each in listed] == ["bundle", "upload"]


def test_the_kept_picture_tells_nothing_about_its_owner(toy_house: House) -> None:
    card = upload(toy_house)
    kept = toy_house.client.get(f"/scenes/{card['id']}/picture.jpg")
    image = Image.open(io.BytesIO(kept.content))
    assert image.size == (300, 150)
    assert dict(image.getexif()) == {}


def test_without_faces_the_scene_waits_for_boxes_and_no_room_opens(
    toy_house: House, detector: PretendedDetector
) -> None:
    detector.faces = ()
    card = upload(toy_house)
    assert not card["is_ready"]
    assert "no face was found" in card["problem"]
    refused = toy_house.client.post("/rooms", json={"scene": card["id"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    path, boxes = f"/scenes/{card['id']}", [list(box) for box in reversed(FACES)]
    names = {"people_names": ["Anna", "Ben"], "prompt": "they talk"}
    corrected = toy_house.client.patch(path, json={"boxes": boxes, **names}).json()
    assert corrected["is_ready"]
    assert corrected["boxes"] == [list(box) for box in FACES]  # from left to right
    assert corrected["people_names"] == ["Anna", "Ben"]
    assert toy_house.client.get(path).json() == corrected


@pytest.mark.parametrize(
    "boxes",
    [
        [[0, 0, 400, 100]],
        [[50, 50, 10, 10]],
        [[0, 0, 0, 0]],
        [[10, 10, 90, 90], [11, 11, 91, 91]],
        [[1, 2, 3]],
        [["a", 0, 1, 1]],
        [[1e9, 0, 1, 1]],
        [[0, 0, 1, 1]] * 17,
    ],
)
def test_boxes_that_cannot_be_faces_are_refused(toy_house: House, boxes: list[Any]) -> None:
    card = upload(toy_house)
    path = f"/scenes/{card['id']}"
    assert toy_house.client.patch(path, json={"boxes": boxes}).status_code == 422
    assert toy_house.client.get(path).json() == card


def test_boxes_may_come_with_the_picture(toy_house: House, detector: PretendedDetector) -> None:
    detector.faces = ()
    card = upload(toy_house, PATH + "&boxes=160,30,270,140;30,30,140,140")
    assert card["boxes"] == [list(box) for box in FACES]


def test_so_many_pictures_are_kept_and_forgotten_ones_make_room(toy_house: House) -> None:
    cards = [upload(toy_house) for _ in range(2)]
    full = toy_house.client.post(PATH, content=picture(), headers=JPEG)
    assert (full.status_code, full.json()["code"]) == (503, "full")
    assert toy_house.client.delete(f"/scenes/{cards[0]['id']}").status_code == 204
    assert toy_house.client.delete(f"/scenes/{cards[0]['id']}").status_code == 404
    upload(toy_house)


def named(name: str) -> Upload:
    return Upload(caption=Caption(name=name, prompt="they talk"), consent="both")


def test_another_process_shows_what_was_handed_on(
    shelves: tuple[BundleShelf, BundleShelf],
) -> None:
    front, worker = shelves
    card = front.add(picture(), named("us"))
    parcel = front.parcel(card.id)
    assert parcel is not None
    worker.take(card.id, pickle.loads(pickle.dumps(parcel)))  # noqa: S301  # our own
    assert worker.card(card.id) == card
    assert worker.picture(card.id) == front.picture(card.id)
    shown, there = front.scene(card.id), worker.scene(card.id)
    assert shown.boxes == there.boxes
    assert np.abs(shown.picture.astype(int) - there.picture).mean() < 4, "JPEG once more"
    better = front.correct(card.id, None, Caption(name="us", prompt="they laugh"))
    again = front.parcel(card.id)
    assert again is not None
    worker.take(card.id, again)
    assert worker.card(card.id) == better, "the newest is shown"
    front.remove(card.id)
    assert front.parcel(card.id) is None
    assert front.parcel("pair") is None, "everybody has the bundle"


def test_what_is_handed_on_takes_the_place_of_the_oldest(
    shelves: tuple[BundleShelf, BundleShelf],
) -> None:
    front, worker = shelves
    for number in range(3):
        card = front.add(picture(), named(str(number)))
        parcel = front.parcel(card.id)
        assert parcel is not None
        worker.take(card.id, parcel)
        front.remove(card.id)
    assert [each.name for each in worker.cards()] == ["pair", "1", "2"]


def test_a_scene_of_the_bundle_is_shown_and_stays(toy_house: House) -> None:
    card = toy_house.client.get("/scenes/pair").json()
    assert (card["origin"], card["people_names"]) == ("bundle", ["Ada", "Bo"])
    shown = toy_house.client.get("/scenes/pair/picture.jpg")
    assert Image.open(io.BytesIO(shown.content)).size == (card["width"], card["height"])
    assert toy_house.client.delete("/scenes/pair").status_code == 404
    assert toy_house.client.patch("/scenes/pair", json={"prompt": "x"}).status_code == 404
