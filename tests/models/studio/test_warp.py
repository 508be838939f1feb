from __future__ import annotations

import torch

from models.studio.warp import gathered, sampled


def example(batch: int = 2, frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(5)
    x = torch.randn(batch, 5, 12, 20, generator=rng)
    flow = torch.randn(batch * frames, 2, 12, 20, generator=rng) * 6  # far beyond the edges too
    return x, flow


def test_both_forms_fetch_the_same() -> None:
    x, flow = example()
    assert torch.allclose(sampled(x, flow), gathered(x, flow), atol=1e-4)
    assert sampled(x, flow).shape == (6, 5, 12, 20)


def test_whole_pixels_are_fetched_exactly_and_the_edge_goes_on() -> None:
    x, flow = example(1, 1)
    flow = torch.zeros_like(flow)
    assert torch.equal(gathered(x, flow), x)
    flow[:, 0] = 3.0
    expected = x[..., torch.arange(20).add(3).clamp(max=19)]
    assert torch.equal(gathered(x, flow), expected)
    flow[:, 0], flow[:, 1] = 0.0, -2.0
    expected = x[:, :, torch.arange(12).sub(2).clamp(min=0)]
    assert torch.equal(gathered(x, flow), expected)


def test_every_frame_looks_at_its_own_picture() -> None:
    x, flow = example(2, 3)
    alone = torch.cat([gathered(x[:1], flow[:3]), gathered(x[1:], flow[3:])])
    assert torch.equal(gathered(x, flow), alone)
