"""From any picture to a size the network was trained at: nearest bucket, scaled to cover, cropped.

Shape letters: H, W picture size, P masks.
Source: repository MeiGen-AI/MultiTalk, wan/utils/multitalk_utils.py (Apache-2.0); the sizes are its
ASPECT_RATIO_627 and ASPECT_RATIO_960.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from models.errors import InputError


class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


BUCKETS_480 = {
    0.26: Size(320, 1216), 0.38: Size(384, 1024), 0.50: Size(448, 896), 0.67: Size(512, 768),
    0.82: Size(576, 704), 1.00: Size(640, 640), 1.22: Size(704, 576), 1.50: Size(768, 512),
    1.86: Size(832, 448), 2.00: Size(896, 448), 2.50: Size(960, 384), 2.83: Size(1088, 384),
    3.60: Size(1152, 320), 3.80: Size(1216, 320), 4.00: Size(1280, 320),
}  # fmt: skip
BUCKETS_720 = {
    0.22: Size(448, 2048), 0.29: Size(512, 1792), 0.36: Size(576, 1600), 0.45: Size(640, 1408),
    0.55: Size(704, 1280), 0.63: Size(768, 1216), 0.76: Size(832, 1088), 0.88: Size(896, 1024),
    1.00: Size(960, 960), 1.14: Size(1024, 896), 1.31: Size(1088, 832), 1.50: Size(1152, 768),
    1.58: Size(1216, 768), 1.82: Size(1280, 704), 1.91: Size(1344, 704), 2.20: Size(1408, 640),
    2.30: Size(1472, 640), 2.67: Size(1536, 576), 2.89: Size(1664, 576), 3.62: Size(1856, 512),
    3.75: Size(1920, 512),
}  # fmt: skip


def nearest_bucket(picture: Size, buckets: dict[float, Size]) -> Size:
    """Give the trained size whose (rounded, published) height/width ratio is nearest."""
    ratio = picture.height / picture.width
    return buckets[min(buckets, key=lambda bucket: abs(bucket - ratio))]


def prepare_picture(pixels: Tensor, size: Size) -> Tensor:
    """Scale RGB pixels [H, W, 3] uint8 to cover `size`, crop the center: [3, H', W'] in [-1, 1].

    Raises:
        InputError: when pixels are not RGB uint8.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != torch.uint8 or 0 in pixels.shape:
        raise InputError(
            f"picture is {pixels.dtype} of shape {tuple(pixels.shape)}, "
            "expected RGB, uint8 [H, W, 3]"
        )
    covering = _covering(Size(*pixels.shape[:2]), size)
    scaled = Image.fromarray(pixels.numpy()).resize(
        (covering.width, covering.height), resample=Image.Resampling.BILINEAR
    )
    cropped = _center_crop(torch.from_numpy(np.array(scaled)).permute(2, 0, 1), size)
    return (cropped / 255 - 0.5) * 2


def prepare_masks(masks: Tensor, size: Size) -> Tensor:
    """Scale masks [P, H, W] as their picture is, by nearest pixel: [P, H', W']."""
    covering = _covering(Size(*masks.shape[1:]), size)
    return _center_crop(F.interpolate(masks[None].float(), covering, mode="nearest")[0], size)


def _covering(picture: Size, size: Size) -> Size:
    scale = max(size.height / picture.height, size.width / picture.width)
    return Size(math.ceil(scale * picture.height), math.ceil(scale * picture.width))


def _center_crop(x: Tensor, size: Size) -> Tensor:
    """Cut the center of x [..., H, W]; an odd rest is rounded to even, as torchvision does."""
    top = round((x.shape[-2] - size.height) / 2)
    left = round((x.shape[-1] - size.width) / 2)
    return x[..., top : top + size.height, left : left + size.width]
