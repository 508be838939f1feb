from __future__ import annotations

import pytest

from models.sampling import presets


@pytest.mark.parametrize(
    ("size", "shift"), [((480, 832), 3.0), ((832, 480), 3.0), ((512, 512), 5.0), ((448, 832), 5.0)]
)
def test_anytalkers_shift_depends_on_the_picture_size(size: tuple[int, int], shift: float) -> None:
    assert presets.anytalker(*size).shift == shift


def test_larger_pictures_take_a_larger_shift_in_multitalk() -> None:
    assert presets.multitalk_720().shift > presets.multitalk_480().shift


def test_the_distilled_lora_needs_two_passes_a_step() -> None:
    assert presets.multitalk_fusionx().scales.text == 1
