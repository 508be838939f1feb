from __future__ import annotations

import numpy as np
import pytest

from engines.errors import InputError
from engines.manifest import RegionRule
from engines.scene.boxes import Box, check_boxes, left_to_right, parse_boxes
from engines.scene.regions import face_crops, person_masks, token_regions

RULE = RegionRule(sideways=0.5, above=0.25, below=1.0)


def test_boxes_are_read_as_written() -> None:
    assert parse_boxes("1,2,3.5,4 5,6,7,8") == (Box(1, 2, 3.5, 4), Box(5, 6, 7, 8))
    assert parse_boxes("1,2,3,4; 5,6,7,8") == (Box(1, 2, 3, 4), Box(5, 6, 7, 8))
    for text in ("1,2,3", "1,2,3,x", "1,2,3,4,5"):
        with pytest.raises(InputError, match="write left,top,right,bottom"):
            parse_boxes(text)


def test_people_count_from_the_left() -> None:
    boxes = (Box(50, 0, 60, 10), Box(0, 0, 10, 10), Box(5, 50, 45, 60))
    assert left_to_right(boxes) == (boxes[1], boxes[2], boxes[0])


@pytest.mark.parametrize(
    ("boxes", "named"),
    [
        ([Box(0, 0, 101, 10)], "person 0 leaves the picture"),
        ([Box(0, 0, 10, 10), Box(-1, 0, 10, 10)], "person 1 leaves"),
        ([Box(5, 5, 5, 10)], "person 0 is empty"),
        ([Box(9, 0, 5, 10)], "is empty"),
        ([Box(float("nan"), 0, 5, 10)], "is not finite"),
        ([Box(0, 0, float("inf"), 10)], "is not finite"),
        ([Box(0, 0, 50, 50), Box(10, 10, 20, 20)], "persons 0 and 1 lie on each other"),
        ([Box(0, 0, 50, 50), Box(60, 0, 70, 9), Box(0, 0, 50, 50)], "persons 0 and 2 lie on"),
    ],
)
def test_boxes_that_cannot_be_faces_are_refused(boxes: list[Box], named: str) -> None:
    with pytest.raises(InputError, match=named):
        check_boxes(boxes, 100, 80)


def test_faces_cheek_by_cheek_are_allowed() -> None:
    check_boxes([Box(0, 0, 50, 50), Box(30, 0, 80, 50)], 100, 80)


def test_a_region_grows_from_the_face_by_the_rule() -> None:
    masks = person_masks([Box(40, 20, 60, 40)], RULE, 100, 80)
    rows, columns = masks[0].nonzero()
    assert (columns.min(), columns.max() + 1) == (30, 70)
    assert (rows.min(), rows.max() + 1) == (15, 60)


def test_where_regions_meet_the_nearer_face_has_it() -> None:
    masks = person_masks([Box(20, 20, 40, 40), Box(45, 20, 65, 40)], RULE, 100, 80)
    assert not (masks[0] & masks[1]).any()
    assert masks[0, 30, 41]
    assert masks[1, 30, 44]
    assert (masks.sum((1, 2)) > 0).all()


def test_a_token_is_a_persons_by_its_share() -> None:
    masks = np.zeros((2, 32, 64), np.bool_)
    masks[0, :, :17] = True
    masks[1, :, 48:] = True
    regions = token_regions(masks, 32)
    assert regions.tolist() == [[0.53125, 0], [0, 0.5]]
    assert regions.dtype == np.float32


def test_a_person_without_a_token_is_too_small() -> None:
    masks = np.zeros((2, 32, 64), np.bool_)
    masks[0] = True
    masks[1, :4, :4] = True
    with pytest.raises(InputError, match="person 1 is too small"):
        token_regions(masks, 32)


def test_at_the_border_the_square_of_a_face_is_moved_not_cut() -> None:
    pixels = np.full((80, 100, 3), 255, np.uint8)
    crop = face_crops(pixels, [Box(0, 0, 20, 60)], 40)
    assert crop == pytest.approx(np.ones((1, 3, 40, 40)))


def test_faces_are_cut_square_around_their_middle() -> None:
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[20:60, 30:50] = 255  # a face twice as high as wide
    crop = face_crops(pixels, [Box(30, 20, 50, 60)], 40)
    assert crop.shape == (1, 3, 40, 40)
    assert crop[0, :, 20, 20] == pytest.approx(1)
    assert crop[0, :, 20, 2] == pytest.approx(-1)
    assert (crop[0, 0, 20] > 0).sum() == 20
