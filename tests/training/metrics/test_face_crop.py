from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.metrics.face_crop import FaceCrop, crop_around
from training.metrics.identity import CHIP_PX, aligned_crop

CROP = FaceCrop(90.0, 60.0, 40.0, 0.4)


def test_what_is_cut_out_maps_back_to_where_it_was() -> None:
    picture = Image.new("RGB", (200, 120))
    where = CROP.to_picture(np.array([[0.7, 0.3]]))[0]
    left, top = (where - 2).round().astype(int)
    picture.paste((255, 255, 255), (left, top, left + 4, top + 4))
    crop = CROP.cut(picture, 160)[0, ..., 0]
    y, x = np.mgrid[0:160, 0:160] + 0.5
    middle = np.array([(x * crop).sum(), (y * crop).sum()]) / crop.sum() / 160
    np.testing.assert_allclose(middle, [0.7, 0.3], atol=0.015)


def test_a_level_crop_of_full_size_is_the_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    crop = FaceCrop(32.0, 32.0, 64.0, 0.0).cut(Image.fromarray(pixels), 64)
    np.testing.assert_allclose(crop[0] * 255, pixels, atol=1)


def test_outside_of_the_picture_is_black() -> None:
    crop = FaceCrop(0.0, 0.0, 20.0, 0.0).cut(Image.new("RGB", (50, 50), (255, 255, 255)), 10)
    assert crop[0, :4, :4].max() == 0
    assert crop[0, 6:, 6:].min() == 1


def test_a_crop_holds_its_points_and_is_level_with_the_eyes() -> None:
    points = np.array([[10.0, 20], [50, 40], [30, 80]])
    crop = crop_around(points, points[0], points[1])
    assert (crop.x, crop.y, crop.side_px) == (30, 50, 90)
    assert crop.turn_rad == pytest.approx(np.arctan2(20, 40))


def test_a_crop_rests_until_the_face_has_left_it() -> None:
    assert CROP.settled(CROP._replace(x=90.5, side_px=40.5)) is CROP
    for new in (CROP._replace(x=93.0), CROP._replace(side_px=44.0), CROP._replace(turn_rad=0.6)):
        assert CROP.settled(new) is new


@pytest.mark.parametrize("turn", [0.0, 0.5, -1.2])
def test_alignment_undoes_any_turn_scale_and_shift(turn: float) -> None:
    level = FaceCrop(75.0, 75.0, float(CHIP_PX), 0.0)
    expected = aligned_crop(level.to_picture(np.random.default_rng(0).uniform(0, 1, (5, 2))))
    moved = FaceCrop(300.0, 200.0, 2.0 * CHIP_PX, turn)
    found = aligned_crop(moved.to_picture(np.random.default_rng(0).uniform(0, 1, (5, 2))))
    assert found.side_px == pytest.approx(2 * expected.side_px)
    assert found.turn_rad == pytest.approx(expected.turn_rad + turn)
