import numpy as np

from training.studio.stage.camera import Camera
from training.studio.stage.truth import Box, box_of_mask, box_of_points

CAMERA = Camera(width=64, height=32, fov_y_rad=0.5, pitch_rad=0.0)


def test_a_mask_is_bounded_by_half_open_edges() -> None:
    mask = np.zeros((8, 10), np.bool_)
    mask[2:5, 3:9] = True
    assert box_of_mask(mask) == Box(3, 2, 9, 5)


def test_an_empty_mask_has_no_box() -> None:
    assert box_of_mask(np.zeros((4, 4), np.bool_)) is None


def test_points_are_bounded_with_a_margin_and_cut_at_the_edges() -> None:
    assert box_of_points([[10.2, 5.0], [20.2, 15.0]], CAMERA, 0.1) == Box(9, 4, 22, 16)
    assert box_of_points([[-5.0, -5.0], [100.0, 100.0]], CAMERA) == Box(0, 0, 64, 32)
