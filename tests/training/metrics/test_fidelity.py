from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from training.metrics.fidelity import FidelityMeter, likeness, ssim

NOISE = np.random.default_rng(0).integers(0, 200, (64, 96, 3), np.uint8)


def test_equal_pictures_are_alike() -> None:
    found = likeness(NOISE, NOISE)
    assert found.psnr_db == 100
    assert found.ssim == pytest.approx(1)


def test_psnr_is_that_of_the_error() -> None:
    assert likeness(NOISE, NOISE + np.uint8(10)).psnr_db == pytest.approx(28.13, abs=0.01)


def test_ssim_of_two_flat_pictures_is_their_luminance_term() -> None:
    a, b = np.full((32, 32), 100.0), np.full((32, 32), 150.0)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))


def test_a_wrong_mouth_shows_in_the_mouth_and_hardly_in_the_picture() -> None:
    meter = FidelityMeter()
    wrong = NOISE.copy()
    wrong[36:44, 44:52] = 0  # around the mouth of a face at (48, 32) that is 40 high
    meter.add(Image.fromarray(wrong), Image.fromarray(NOISE), [(48.0, 32.0, 40.0)])
    found = meter.fidelity()
    assert found is not None
    assert found.mouths is not None
    assert found.mouths.psnr_db < found.picture.psnr_db - 5


def test_without_frames_there_is_no_score() -> None:
    assert FidelityMeter().fidelity() is None


def test_a_truth_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="48x32"):
        FidelityMeter().add(Image.new("RGB", (96, 64)), Image.new("RGB", (48, 32)), [])
