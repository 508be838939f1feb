from __future__ import annotations

import pytest
import torch

from models.vae.scale import LatentScale


def test_normalizing_gives_zero_mean_and_unit_std_per_channel() -> None:
    scale = LatentScale((1.0, -2.0), (0.5, 4.0))
    z = torch.tensor([1.5, 2.0]).reshape(1, 2, 1, 1, 1)
    assert scale.normalize(z).flatten().tolist() == [1.0, 1.0]
    assert scale.denormalize(scale.normalize(z)).equal(z)


def test_numbers_survive_a_change_of_dtype() -> None:
    scale = LatentScale((-0.7571,), (2.8184,)).to(torch.bfloat16)
    one = torch.ones(1, 1, 1, 1, 1)
    assert scale.denormalize(one).item() == pytest.approx(2.8184 - 0.7571, rel=1e-6)
    assert scale.normalize(one.bfloat16()).dtype == torch.bfloat16


def test_numbers_survive_the_meta_device() -> None:
    with torch.device("meta"):
        scale = LatentScale((0.5,), (2.0,))
    emptied = LatentScale((0.5,), (2.0,)).to_empty(device="cpu")
    one = torch.ones(1, 1, 1, 1, 1)
    assert scale.denormalize(one).item() == emptied.denormalize(one).item() == 2.5


def test_numbers_are_no_part_of_a_checkpoint() -> None:
    assert LatentScale((0.5,), (2.0,)).state_dict() == {}
