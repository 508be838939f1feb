from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.metrics.appearance import FlickerMeter, lab_of, picture_look


def picture(level: float, size: tuple[int, int] = (96, 64)) -> Image.Image:
    return Image.new("RGB", size, (round(level),) * 3)


def test_gray_has_no_color_and_white_is_the_lightest() -> None:
    lab = lab_of(np.array([[255, 255, 255], [119, 119, 119], [0, 0, 0]], np.uint8))
    np.testing.assert_allclose(lab, [[100, 0, 0], [50, 0, 0], [0, 0, 0]], atol=0.2)


def test_red_is_where_the_standard_has_it() -> None:
    np.testing.assert_allclose(
        lab_of(np.array([255, 0, 0], np.uint8)), [53.24, 80.09, 67.20], atol=0.05
    )


def test_a_blurred_picture_is_less_sharp() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    sharp = Image.fromarray(noise)
    blurred = sharp.resize((48, 32)).resize((96, 64))
    assert picture_look(blurred).sharpness < picture_look(sharp).sharpness / 2


def flicker(levels: list[float]) -> float | None:
    meter = FlickerMeter()
    for level in levels:
        meter.add(picture(level))
    return meter.flicker


def test_a_still_or_evenly_fading_video_does_not_flicker() -> None:
    assert flicker([100.0] * 5) == pytest.approx(0, abs=1e-9)
    assert flicker([100.0, 110, 120, 130]) == pytest.approx(0, abs=1e-9)


def test_flicker_is_measured_in_levels() -> None:
    assert flicker([100.0, 106, 100, 106, 100]) == pytest.approx(6)


def test_two_frames_say_nothing_of_flicker() -> None:
    assert flicker([1.0, 2.0]) is None


def test_a_small_moving_thing_is_no_flicker() -> None:
    meter = FlickerMeter()
    for x in (10, 40, 10, 40, 10):
        frame = picture(100)
        frame.paste((255, 255, 255), (x, 10, x + 20, 30))
        meter.add(frame)
    assert meter.flicker == pytest.approx(0, abs=1e-9)
