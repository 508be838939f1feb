from __future__ import annotations

import pytest
import torch

from models.errors import InputError
from models.people import Box, box_mask, side_by_side_boxes, to_latent_size, with_background


def test_two_people_get_the_published_halves() -> None:
    assert side_by_side_boxes(2, 100, 200) == [Box(5, 5, 95, 95), Box(105, 5, 195, 95)]


def test_columns_of_any_number_of_people_never_overlap() -> None:
    for people in range(1, 9):
        boxes = side_by_side_boxes(people, 256, 448)
        masks = torch.stack([box_mask(box, 256, 448) for box in boxes])
        assert masks.sum(0).max() == 1
        assert with_background(masks).sum(0).min() == 1


def test_impossible_scenes_are_refused() -> None:
    with pytest.raises(InputError, match="at least one person, got 0"):
        side_by_side_boxes(0, 100, 100)
    with pytest.raises(InputError, match="too small for 9 people"):
        side_by_side_boxes(9, 100, 9)
    with pytest.raises(InputError, match="covers no pixel of a 100x50 picture"):
        box_mask(Box(100, 0, 120, 50), 50, 100)


def test_masks_are_resized_by_nearest_pixel_and_stay_binary() -> None:
    resized = to_latent_size(box_mask(Box(0, 0, 8, 16), 16, 16)[None], 2, 2)
    assert resized.tolist() == [[[1, 0], [1, 0]]]
