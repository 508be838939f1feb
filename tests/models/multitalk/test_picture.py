from __future__ import annotations

import pytest
import torch

from models.errors import InputError
from models.multitalk.picture import (
    BUCKETS_480,
    BUCKETS_720,
    Size,
    nearest_bucket,
    prepare_masks,
    prepare_picture,
)


def test_the_nearest_trained_size_is_chosen_by_its_ratio() -> None:
    assert nearest_bucket(Size(1080, 1920), BUCKETS_480) == Size(448, 896)
    assert nearest_bucket(Size(1920, 1080), BUCKETS_480) == Size(832, 448)
    assert nearest_bucket(Size(500, 500), BUCKETS_720) == Size(960, 960)


def test_every_trained_size_fits_the_vae_and_the_patches() -> None:
    for height, width in [*BUCKETS_480.values(), *BUCKETS_720.values()]:
        assert height % 16 == width % 16 == 0


def test_a_picture_covers_its_size_and_keeps_its_center() -> None:
    pixels = torch.zeros(40, 80, 3, dtype=torch.uint8)
    pixels[:, 20:60] = 255
    prepared = prepare_picture(pixels, Size(40, 40))
    assert prepared.shape == (3, 40, 40)
    assert (prepared == 1).all()


def test_values_span_minus_one_to_one() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).repeat_interleave(3).reshape(1, 2, 3)
    assert set(prepare_picture(pixels, Size(1, 2)).flatten().tolist()) == {-1.0, 1.0}


def test_masks_follow_their_picture() -> None:
    mask = torch.zeros(1, 40, 80)
    mask[:, :, 20:60] = 1
    assert torch.equal(prepare_masks(mask, Size(40, 40)), torch.ones(1, 40, 40))


@pytest.mark.parametrize(
    "pixels", [torch.zeros(4, 4, 4).byte(), torch.zeros(4, 4, 3), torch.zeros(0, 4, 3).byte()]
)
def test_what_is_no_picture_is_refused(pixels: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"expected RGB, uint8 \[H, W, 3\]"):
        prepare_picture(pixels, Size(16, 16))
