from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from export.weights import Weights
from models.checkpoints.network import Network, Part
from models.errors import CheckpointError


class Scaled(nn.Module):
    """A layer with a buffer that is computed as it is built, as networks of our own have them."""

    scale: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 2)
        self.register_buffer("scale", torch.arange(width).float())


def network(width: int) -> Network[Scaled]:
    part = Part(repository=None, folders=(), choices=("scaled.safetensors",))
    return Network(name="scaled", build=lambda: Scaled(width), parts=(part,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(Scaled(3).state_dict(), tmp_path / "scaled.safetensors")
    return tmp_path


def test_trained_networks_of_our_own_are_loaded_for_reading_alone(folder: Path) -> None:
    loaded = Weights(directory=folder, seed=None).load(network(3))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert torch.equal(loaded.layer.weight, Scaled(3).layer.weight)


def test_weights_of_other_sizes_are_refused_by_name(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="trained with other sizes"):
        Weights(directory=folder, seed=None).load(network(4))
