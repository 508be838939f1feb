"""Held against torch, whose interpolation the networks were trained with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engines.scene.resampling import bicubic, bilinear


@pytest.mark.parametrize(("height", "width"), [(5, 7), (32, 32), (40, 9), (24, 60)])
def test_both_kinds_resize_as_torch_does(height: int, width: int) -> None:
    draw = np.random.default_rng(height)
    planes = draw.standard_normal((3, 24, 31)).astype(np.float32)
    for kind, resize in (("bilinear", bilinear), ("bicubic", bicubic)):
        wanted = F.interpolate(
            torch.tensor(planes)[None], (height, width), mode=kind, align_corners=False
        )[0]
        found = resize(planes, height, width)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted.numpy(), atol=2e-5)  # torch places in float32


def test_the_same_size_is_the_same_picture() -> None:
    planes = np.random.default_rng(1).standard_normal((2, 6, 9)).astype(np.float32)
    np.testing.assert_array_equal(bicubic(planes, 6, 9), planes)
    np.testing.assert_array_equal(bilinear(planes, 6, 9), planes)
