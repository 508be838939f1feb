from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.studio.warp import FEW_CHANNELS, gathered, neighbors, sampled


def fetched(x: Tensor, flow: Tensor) -> Tensor:
    return gathered(neighbors(x), flow)


def example(batch: int = 2, frames: int = 3, channels: int = 5) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    x = torch.randn(batch, channels, 12, 20, generator=rng)
    flow = torch.randn(batch * frames, 2, 12, 20, generator=rng) * 6  # far beyond the edges too
    return x, flow


@pytest.mark.parametrize("channels", [3, FEW_CHANNELS])
def test_both_forms_fetch_the_same(channels: int) -> None:
    x, flow = example(channels=channels)
    assert torch.allclose(sampled(x, flow), fetched(x, flow), atol=1e-4)
    assert fetched(x, flow).shape == (6, channels, 12, 20)


def test_whole_pixels_are_fetched_exactly_and_the_edge_goes_on() -> None:
    x, flow = example(1, 1)
    flow = torch.zeros_like(flow)
    assert torch.equal(fetched(x, flow), x)
    flow[:, 0] = 3.0
    expected = x[..., torch.arange(20).add(3).clamp(max=19)]
    assert torch.equal(fetched(x, flow), expected)
    flow[:, 0], flow[:, 1] = 0.0, -2.0
    expected = x[:, :, torch.arange(12).sub(2).clamp(min=0)]
    assert torch.equal(fetched(x, flow), expected)


def test_every_frame_looks_at_its_own_picture() -> None:
    x, flow = example(2, 3)
    alone = torch.cat([fetched(x[:1], flow[:3]), fetched(x[1:], flow[3:])])
    assert torch.equal(fetched(x, flow), alone)
