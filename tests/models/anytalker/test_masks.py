from __future__ import annotations

import pytest
import torch

from models.anytalker.masks import (
    expand_mask,
    largest_left_to_right,
    picture_mask,
    square_box,
    token_masks,
)
from models.errors import InputError
from models.people import Box, box_mask


def test_a_square_box_takes_the_longer_side_and_stays_inside() -> None:
    assert square_box(Box(10, 10, 20, 30), 100, 100) == Box(5, 10, 25, 30)
    assert square_box(Box(0, 10, 10, 30), 100, 100) == Box(0, 10, 20, 30)
    assert square_box(Box(90, 70, 100, 100), 100, 100) == Box(70, 70, 100, 100)
    with pytest.raises(InputError, match="has no area"):
        square_box(Box(10, 10, 10, 30), 100, 100)


def test_the_largest_faces_are_taken_left_to_right() -> None:
    boxes = [Box(60, 0, 80, 20), Box(40, 0, 45, 5), Box(0, 0, 30, 30)]
    assert largest_left_to_right(boxes, 2) == [boxes[2], boxes[0]]
    with pytest.raises(InputError, match="3 faces found for 4 voices"):
        largest_left_to_right(boxes, 4)


def test_a_mask_grows_about_its_center_and_is_cut_at_the_border() -> None:
    grown = expand_mask(box_mask(Box(10, 14, 30, 34), 60, 80), 1.2, 1.1)
    rows, columns = grown.any(1).nonzero().flatten(), grown.any(0).nonzero().flatten()
    corners = [int(x) for x in (rows[0], rows[-1], columns[0], columns[-1])]
    assert corners == [12, 34, 7, 31]
    corner = expand_mask(box_mask(Box(0, 0, 20, 20), 22, 22), 2.0, 2.0)
    assert corner.all()


def test_the_picture_gives_its_first_frame_and_marks_faces_later() -> None:
    faces = torch.stack([box_mask(Box(0, 0, 16, 16), 32, 64), box_mask(Box(40, 8, 56, 24), 32, 64)])
    mask = picture_mask(faces, 3, (4, 8))
    assert mask.shape == (4, 3, 4, 8)
    assert (mask[:, 0] == 1).all()
    assert torch.equal(mask[:, 1], mask[:, 2])
    assert mask[0, 1, 0, 0] == 1
    assert mask[0, 1, 3, 3] == 0


def test_a_token_belongs_to_its_person_in_part() -> None:
    masks = token_masks(box_mask(Box(0, 0, 24, 32), 32, 64)[None], (4, 8), (1.0, 1.0))
    assert masks.shape == (1, 2, 4)
    assert masks[0, 0].tolist() == [1.0, 0.5, 0.0, 0.0]


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(InputError, match="covers no pixel"):
        expand_mask(torch.zeros(8, 8), 1.2, 1.1)
