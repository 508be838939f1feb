from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.vae.causal import CausalConv3d


def random(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kernel", "stride"), [((3, 3, 3), 1), ((3, 1, 1), 1), ((3, 1, 1), 2)])
@pytest.mark.parametrize("cuts", [[8], [2, 6], [4, 2, 2]])
def test_stream_equals_one_convolution_behind_zeros(
    kernel: tuple[int, int, int], stride: int, cuts: list[int]
) -> None:
    with torch.random.fork_rng():
        conv = CausalConv3d(2, 3, kernel, stride=stride)
    x = random(2, 2, 8, 4, 5)
    pad = kernel[1] // 2
    padded = F.pad(x, (pad, pad, pad, pad, 3 - stride, 0))
    whole = F.conv3d(padded, conv.weight, conv.bias, stride=(stride, 1, 1))

    past, parts = None, []
    for part in torch.split(x, cuts, dim=2):
        y, past = conv(part, past)
        parts.append(y)

    torch.testing.assert_close(torch.cat(parts, dim=2), whole)


def test_past_keeps_no_more_memory_than_it_needs() -> None:
    with torch.random.fork_rng():
        conv = CausalConv3d(2, 3, (3, 3, 3))
    _, past = conv(random(1, 2, 9, 4, 5), None)
    assert past.untyped_storage().nbytes() == past.numel() * past.itemsize == 2 * 2 * 4 * 5 * 4
