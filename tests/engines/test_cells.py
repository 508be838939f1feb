from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.architectures.cell_room import CellRoom, cell_shares, strip_of
from engines.architectures.face_bend import EXPRESSIONS
from engines.architectures.room import Made, Moves
from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle
from engines.errors import ArtifactError
from engines.manifest import (
    CellRule,
    Size,
    Square,
    boxes_in_strip,
    cut_strip,
    read_manifest,
    squares_around,
)
from engines.runtimes.choice import start
from engines.scene.boxes import Box
from engines.scene.store import ready_scene
from engines.stream import AvatarStream
from tests.engines import toy_bundle

RULE = CellRule(side=32, reach=1.5, feather=0.2)
WIDE, TALL = Size(people=2, width=160, height=96), Size(people=2, width=128, height=128)
FACES = (Box(20, 20, 44, 52), Box(100, 30, 124, 62))
TOY = toy_bundle.Toy(cells=RULE, sizes=(WIDE, TALL), boxes=FACES)


@pytest.fixture(scope="module")
def cell_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return toy_bundle.build(tmp_path_factory.mktemp("cells") / "bundle", TOY)


@pytest.fixture
def stream(cell_bundle: Bundle) -> Iterator[AvatarStream]:
    with AvatarEngine(cell_bundle, start("onnxruntime", 1)) as engine:
        opened = AvatarStream(engine, ready_scene(cell_bundle, "pair"))
        for seat in range(2):
            opened.join(seat)
        yield opened


class Painter:
    """A room that shows one strip for ever."""

    def __init__(self, strip: NDArray[np.uint8], moves: Moves | None = None) -> None:
        self.strip, self.moves, self.calls = strip, moves, list[object]()

    def make(
        self, samples: NDArray[np.float32], noise: np.random.Generator, steps: int | None
    ) -> Made:
        return Made(np.repeat(self.strip[None], 4, axis=0), {"decode": 1.0}, self.moves)

    def listen(self, samples: NDArray[np.float32]) -> None:
        self.calls.append("listen")

    def hush(self, person: int) -> None:
        self.calls.append(person)

    def set_prompt(self, prompt: str) -> None:
        self.calls.append(prompt)

    def close(self) -> None:
        self.calls.append("close")


def smooth_picture(width: int, height: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 17), np.cos(columns / 23), np.sin((rows + columns) / 31)]
    return (np.stack(waves, -1) * 100 + 128).astype(np.uint8)


def shown(picture: NDArray[np.uint8], room: CellRoom) -> NDArray[np.uint8]:
    samples, noise = np.zeros((2, 2560), np.float32), np.random.default_rng(0)
    made = room.make(samples, noise, None)
    assert made.frames.shape == (4, *picture.shape)
    assert set(made.parts_ms) == {"decode", "paste"}
    return made.frames


def test_a_square_reaches_beyond_its_face_and_stays_in_the_picture() -> None:
    rule = CellRule(side=32, reach=2, feather=0.1)
    middle, corner, huge = squares_around(
        [(40, 40, 60, 64), (0, 0, 20, 20), (10, 5, 90, 95)], 200, 100, rule
    )
    assert middle == (26, 28, 48)
    assert corner == (0, 0, 40), "moved, not cut"
    assert huge == (0, 0, 100), "no larger than the picture"


def test_a_strip_shows_the_squares_from_left_to_right_at_one_size() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :100], picture[:, 100:] = (200, 0, 0), (0, 0, 200)
    strip = cut_strip(picture, [Square(10, 10, 50), Square(120, 20, 24)], 32)
    assert strip.shape == (32, 64, 3)
    assert (strip[:, :32] == (200, 0, 0)).all()
    assert (strip[:, 32:] == (0, 0, 200)).all()


def test_boxes_lie_in_the_strip_where_the_faces_are() -> None:
    boxes = [(20.0, 30.0, 40.0, 50.0), (110.0, 10.0, 150.0, 30.0)]
    squares = [Square(10, 20, 40), Square(100, 0, 40)]
    moved = boxes_in_strip(boxes, squares, 80)
    assert moved[0] == (20, 20, 60, 60)
    assert moved[1] == (100, 20, 160, 60), "in the second cell, and cut to it"


def test_shares_are_the_cells_inside_the_pictures_outside_and_never_more_than_all() -> None:
    squares = [Square(0, 20, 60), Square(40, 20, 60)]
    shares = cell_shares(squares, (100, 200), 0.1)
    assert shares.sum(0).max() <= 1 + 1e-6
    assert shares[0, 50, 20] == 1
    assert shares[1, 50, 80] == 1
    assert not shares[:, :20].any()
    assert not shares[:, :, 100:].any()
    assert 0 < shares[0, 22, 20] < 0.5, "it fades"
    assert shares[0, 50, 0] == 1, "not at the picture's own edge"
    overlap = shares[:, 50, 40:60]
    assert overlap[0, 0] > 0.9
    assert overlap[1, -1] > 0.9
    assert np.allclose(overlap.sum(0), 1, atol=1e-6), "one gives way to the other"
    assert (np.diff(overlap[0]) <= 1e-6).all()


@pytest.mark.parametrize("squares", [FACES, (Box(30, 20, 70, 60), Box(72, 20, 112, 60))])
def test_cells_of_the_picture_give_the_picture_again(squares: tuple[Box, ...]) -> None:
    picture = smooth_picture(160, 96)
    rule = CellRule(side=64, reach=1.5, feather=0.1)
    places = squares_around(squares, 160, 96, rule)
    room = CellRoom(Painter(cut_strip(picture, places, 64)), picture, places, squares, rule)
    for frame in shown(picture, room):
        assert np.abs(frame.astype(int) - picture).max() <= 3


def test_what_a_cell_shows_is_seen_in_its_square_alone() -> None:
    picture = np.full((96, 160, 3), 100, np.uint8)
    rule = CellRule(side=32, reach=1.5, feather=0.2)
    places = squares_around(FACES, 160, 96, rule)
    strip = np.full((32, 64, 3), 100, np.uint8)
    strip[:, 32:] = 250
    frame = shown(picture, CellRoom(Painter(strip), picture, places, FACES, rule))[0]
    second = places[1]
    assert (frame[second.rows, second.columns][24, 24] == 250).all()
    frame[second.rows, second.columns] = 100
    assert (frame == 100).all()


def second_moves(*, yaw: float = 0.0, **curves: float) -> Moves:
    """Give moves of the second of two people, the same in all frames."""
    turns = np.zeros((2, 4, 3), np.float32)
    turns[1, :, 0] = yaw
    expressions = np.zeros((2, 4, len(EXPRESSIONS)), np.float32)
    for name, value in curves.items():
        expressions[1, :, EXPRESSIONS.index(name)] = value
    marks = np.array([(0.35, 0.4), (0.65, 0.4), (0.5, 0.7)], np.float32)
    return Moves(turns, expressions, np.stack([marks, marks]))


@pytest.mark.parametrize(
    ("moves", "least"),
    [
        (second_moves(yaw=0.2), 1),
        (second_moves(browDownLeft=0.9, browDownRight=0.9), 0.2),
        (second_moves(mouthSmileLeft=-0.6, mouthSmileRight=-0.6), 0.02),  # these come slowly
    ],
)
def test_heads_and_faces_follow_their_moves_and_the_rest_stays(moves: Moves, least: float) -> None:
    picture = smooth_picture(160, 96)
    places = squares_around(FACES, 160, 96, RULE)
    room = CellRoom(Painter(cut_strip(picture, places, 32), moves), picture, places, FACES, RULE)
    still = CellRoom(Painter(cut_strip(picture, places, 32)), picture, places, FACES, RULE)
    frames, unmoved = shown(picture, room).astype(int), shown(picture, still).astype(int)
    changed = np.abs(frames - unmoved).max(-1)
    outside = np.ones((96, 160), np.bool_)
    outside[places[1].rows, places[1].columns] = False
    assert not changed[:, outside].any()
    by_frame = changed[:, places[1].rows, places[1].columns].mean((1, 2))
    assert (np.diff(by_frame) > 0).all(), "it takes some frames"
    assert by_frame[-1] > least


def test_everybody_is_bent_where_their_own_marks_are() -> None:
    picture = smooth_picture(160, 96)
    places = squares_around(FACES, 160, 96, RULE)
    strip = cut_strip(picture, places, 32)

    def made(person: int) -> NDArray[np.uint8]:
        moves = second_moves(browDownLeft=1.0, browDownRight=1.0)
        moves.marks[person] += 0.1
        return shown(picture, CellRoom(Painter(strip, moves), picture, places, FACES, RULE))

    unmoved = second_moves(browDownLeft=1.0, browDownRight=1.0)
    room = CellRoom(Painter(strip, unmoved), picture, places, FACES, RULE)
    usual = shown(picture, room)
    assert (made(0) == usual).all(), "the first does nothing"
    assert (made(1) != usual).any()


def test_brows_come_at_once_and_corners_of_the_mouth_slowly() -> None:
    picture = smooth_picture(160, 96)
    places = squares_around(FACES, 160, 96, RULE)
    strip = cut_strip(picture, places, 32)
    calm = shown(picture, CellRoom(Painter(strip), picture, places, FACES, RULE)).astype(int)

    def shares(**curves: float) -> tuple[float, float]:
        """Give how much of what shows in the end shows after one chunk, and after eight."""
        room = CellRoom(Painter(strip, second_moves(**curves)), picture, places, FACES, RULE)
        moved = [float(np.abs(shown(picture, room)[-1] - calm[-1]).mean()) for _ in range(20)]
        return moved[0] / moved[-1], moved[7] / moved[-1]

    soon, later = shares(browDownLeft=1.0, browDownRight=1.0)
    assert soon > 0.6
    assert later > 0.99
    soon, later = shares(mouthSmileLeft=1.0, mouthSmileRight=1.0)
    assert soon < 0.3
    assert later > 0.8, "within a second and a half"


def test_all_else_is_passed_on() -> None:
    painter = Painter(np.zeros((32, 64, 3), np.uint8))
    picture = smooth_picture(160, 96)
    room = CellRoom(painter, picture, squares_around(FACES, 160, 96, RULE), FACES, RULE)
    room.listen(np.zeros((2, 2560), np.float32))
    room.hush(1)
    room.set_prompt("a nod")
    room.close()
    assert painter.calls == ["listen", 1, "a nod", "close"]


def test_networks_see_a_strip_in_which_every_cell_is_its_persons(cell_bundle: Bundle) -> None:
    scene = ready_scene(cell_bundle, "pair")
    strip, squares = strip_of(scene, RULE)
    assert (strip.size.width, strip.size.height, len(squares)) == (64, 32, 2)
    assert strip.picture.shape == (32, 64, 3)
    assert strip.masks[0, :, :32].all()
    assert strip.masks[1, :, 32:].all()
    assert (strip.masks.sum(0) == 1).all()
    assert strip.prompt == scene.prompt
    for person, box in enumerate(strip.boxes):
        assert person * 32 <= box.left < box.right <= (person + 1) * 32


def test_a_stream_moves_faces_and_leaves_the_rest_of_the_picture(
    stream: AvatarStream, cell_bundle: Bundle, voices: NDArray[np.float32]
) -> None:
    scene = ready_scene(cell_bundle, "pair")
    _, squares = strip_of(scene, RULE)
    for seat in range(2):
        stream.push(seat, voices[seat])
    frames = np.concatenate([stream.make_chunk().frames for _ in range(6)])
    assert frames.shape[1:] == (96, 160, 3)
    inside = np.zeros((96, 160), np.bool_)
    for square in squares:
        inside[square.rows, square.columns] = True
    assert (frames[:, ~inside] == scene.picture[~inside]).all()
    moving = frames.astype(int).std(0).mean(-1)
    assert all(moving[square.rows, square.columns].max() > 1 for square in squares)


def test_videos_of_several_sizes_share_their_networks(cell_bundle: Bundle) -> None:
    with AvatarEngine(cell_bundle, start("onnxruntime", 1)) as engine:
        assert engine.networks(WIDE) == engine.networks(TALL)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cells": {"side": 40, "reach": 1.5, "feather": 0.2}}, "`sizes` does not list"),
        ({"cells": None}, "`sizes` does not list"),
        ({"cells": {"side": 32, "reach": 0.5, "feather": 0.2}}, "reach"),
        ({"cells": {"side": 32, "reach": 1.5, "feather": 0.0}}, "feather"),
        ({"sizes": [{"people": 2, "width": 161, "height": 96}]}, "even sides"),
        ({"sizes": [{"people": 3, "width": 160, "height": 96}]}, "`sizes` does not list"),
    ],
)
def test_cells_that_fit_nothing_are_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    folder = toy_bundle.build(tmp_path / "bundle", TOY).folder
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match=reason):
        read_manifest(folder)
