"""Where the numbers of a network come from: published files, or a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from models.checkpoints.compact import read_tensors
from models.checkpoints.errors import MissingFilesError
from models.checkpoints.loading import Placement, load_network
from models.checkpoints.network import Network, build_empty, find_files
from models.errors import CheckpointError

M = TypeVar("M", bound=nn.Module)
UNTRAINED_NOISE = 0.005
MODULATION_SCALE = 0.02  # of every vector around its neutral value


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Published files under a directory, or random numbers from a seed."""

    directory: Path | None
    seed: int | None

    def __post_init__(self) -> None:
        if (self.directory is None) == (self.seed is None):
            raise ValueError("weights come from a directory or from a seed, one of the two")

    def load(self, network: Network[M]) -> M:
        """Give a network in float32 on the CPU, in evaluation mode.

        Raises:
            CheckpointError: when the files are not there or do not fit.
        """
        if self.directory is None:
            seed = self.seed or 0
            if _has_own_buffers(network):
                return _untrained(network, seed).eval()
            return randomize(build_empty(network), seed).eval()
        if _has_own_buffers(network):
            return _load_whole(network, self.directory).eval()
        placement = Placement(dtype=torch.float32, device=torch.device("cpu"))
        return load_network(network, self.directory, placement).eval()

    @property
    def description(self) -> str:
        """Say where they come from, for the manifest."""
        return f"random, seed {self.seed}" if self.directory is None else self.directory.name


def _has_own_buffers(network: Network[M]) -> bool:
    """Say whether a network computes buffers as it is built, which the meta device would lose."""
    return any(buffer.is_meta for buffer in build_empty(network).buffers())


def _untrained(network: Network[M], seed: int) -> M:
    """Build a network of our own as training begins with it, no parameter left at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = network.build()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise, alpha=UNTRAINED_NOISE).requires_grad_(False)
    return module


def _load_whole(network: Network[M], directory: Path) -> M:
    """Load a small network of our own, which comes in one safetensors file."""
    files = find_files(network, directory)
    paths = [path for each in files for path in each.paths]
    if len(paths) != 1:
        absent = [name for each in files for name in each.absent]
        raise MissingFilesError(network.name, absent, [])
    module = network.build()
    try:
        module.load_state_dict(read_tensors(paths[0]), strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{paths[0]} does not fit {network.name}: {error}; it was trained with other sizes "
            "than the preset's, or is damaged"
        ) from error
    return module.requires_grad_(False)


def randomize(module: M, seed: int) -> M:
    """Give every parameter of a module on the meta device memory and seeded values.

    Matrices keep the variance of what they map, vectors stand about their neutral value, so that
    activations stay in the range of trained networks.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in list(module.named_parameters()):
        owner_name, _, leaf = name.rpartition(".")
        owner = module.get_submodule(owner_name)
        value = _drawn(leaf, tuple(parameter.shape), generator)
        setattr(owner, leaf, nn.Parameter(value, requires_grad=False))
    return module


def _drawn(leaf: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    value = torch.empty(shape)
    if len(shape) < 2 or max(shape) == value.numel():
        neutral = 1.0 if leaf in {"weight", "gamma"} else 0.0
        return value.normal_(neutral, MODULATION_SCALE, generator=generator)
    return value.normal_(0.0, value[0].numel() ** -0.5, generator=generator)
