"""Held against `models/`, which is held against the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.manifest import Size
from engines.scene.boxes import Box
from engines.scene.face_masks import face_planes, face_shares, moving_mask, square_box
from engines.scene.scene import Caption, Scene, build_scene
from export.wan_facts import FACE_REGION
from models import people
from models.anytalker import masks as published

WIDTH, HEIGHT = 96, 64
BOXES = [
    (Box(3, 5, 30, 37), Box(50, 2, 81, 27)),
    (Box(0, 0, 21, 33), Box(70.5, 40.2, 96, 64)),
    (Box(10.9, 11.1, 42.3, 40.7), Box(33.5, 12.5, 60.5, 44.5)),
]


def scene_of(boxes: tuple[Box, ...]) -> Scene:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    size = Size(people=2, width=WIDTH, height=HEIGHT)
    return build_scene(picture, boxes, size, FACE_REGION, Caption(name="pair"))


@pytest.mark.parametrize("boxes", BOXES)
def test_masks_are_the_published_ones(boxes: tuple[Box, ...]) -> None:
    squares = [published.square_box(people.Box(*box), HEIGHT, WIDTH) for box in boxes]
    for box, square in zip(boxes, squares, strict=True):
        assert tuple(square_box(box, WIDTH, HEIGHT)) == tuple(square)
    drawn = torch.stack([people.box_mask(square, HEIGHT, WIDTH) for square in squares])
    h, w = HEIGHT // 8, WIDTH // 8
    planes = face_planes(scene_of(boxes), FACE_REGION)
    tokens = published.token_masks(drawn, (h, w)).numpy()
    np.testing.assert_allclose(face_shares(planes, h // 2, w // 2), tokens, atol=1e-6)
    moving = published.picture_mask(drawn, 2, (h, w))[0, 1].numpy()
    np.testing.assert_allclose(moving_mask(planes, h, w), moving, atol=1e-6)
