"""LoRAs merged into weights while they are loaded, one tensor at a time, in float32.

The LoRAs that make Wan run in 4 to 8 steps (FusionX, lightx2v, CausVid, Self-Forcing) hold, for a
module of the network: a low-rank change of its weight, `lora_down` then `lora_up` (`lora_A` then
`lora_B`), with an optional `alpha`; whole changes of a weight (`.diff`), of a bias (`.diff_b`) and
of a modulation (`.diff_m`).

    W' = W + strength * (alpha / rank) * up @ down,  alpha = rank when it is not given
    b' = b + strength * diff

Source: LoRA, arXiv 2106.09685; key names as ModelTC/LightX2V writes them (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoints.comparison import Shape
from models.checkpoints.errors import LoraError
from models.checkpoints.lora_names import Kind, change_of
from models.checkpoints.opening import open_weights
from models.checkpoints.weight_file import WeightFile
from models.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """One LoRA file and how strongly it is merged.

    Raises:
        ConfigError: when the strength is not a finite number.
    """

    path: Path
    strength: float = 1.0
    skip: tuple[str, ...] = ()  # fragments of its tensor names to leave out, e.g. patch_embedding

    def __post_init__(self) -> None:
        if not isfinite(self.strength):
            raise ConfigError(f"strength={self.strength} of {self.path} must be a finite number")


class LoraFile:
    """A LoRA whose header has been matched to a network; its tensors stay on disk until used.

    Raises:
        LoraError: when a tensor matches none of the network's, or has another shape.
        WeightFileError: when the file cannot be read.
    """

    def __init__(self, lora: Lora, shapes: Mapping[str, Shape]) -> None:
        self._file: WeightFile = open_weights(lora.path)
        self._strength = lora.strength
        self._changes: dict[str, dict[Kind, str]] = {}
        unmatched = []
        for name in self._file.header:
            if any(fragment in name for fragment in lora.skip):
                continue
            change = change_of(name, shapes)
            if change is None:
                unmatched.append(name)
            else:
                self._changes.setdefault(change.target, {})[change.kind] = name
        unpaired = [name for parts in self._changes.values() for name in _unpaired(parts)]
        misshapen = [] if unpaired else self._misshapen(shapes)
        if unmatched or unpaired or misshapen:
            raise LoraError(lora.path, unmatched, misshapen, unpaired)

    @property
    def changed(self) -> Collection[str]:
        """Names of the network's tensors that this LoRA changes."""
        return self._changes.keys()

    def merge_into(self, name: str, weight: Tensor) -> None:
        """Add this LoRA's change to a contiguous float32 weight, in place and on its device."""
        parts = self._changes[name]
        read = self._read(parts, weight.device)
        if "whole" in read:
            weight.add_(read["whole"].view(weight.shape), alpha=self._strength)
        if "down" in read:
            down, up = read["down"].flatten(1), read["up"].flatten(1)
            rank = down.shape[0]
            alpha = float(read["alpha"]) if "alpha" in read else float(rank)
            scale = self._strength * alpha / rank
            weight.view(weight.shape[0], -1).addmm_(up, down, alpha=scale)

    def _read(self, parts: Mapping[Kind, str], device: torch.device) -> dict[Kind, Tensor]:
        kinds = {name: kind for kind, name in parts.items()}
        return {
            kinds[name]: tensor.to(device=device, dtype=torch.float32).contiguous()
            for name, tensor in self._file.tensors(kinds)
        }

    def _misshapen(self, shapes: Mapping[str, Shape]) -> list[str]:
        header = self._file.header
        said = []
        for target, parts in self._changes.items():
            want = shapes[target]
            if "whole" in parts:
                got = header[parts["whole"]].shape
                if _squeezed(got) != _squeezed(want):
                    said.append(f"{parts['whole']} ({list(got)} for {list(want)})")
            if "down" in parts:
                down, up = header[parts["down"]].shape, header[parts["up"]].shape
                if not _multiply(up, down, want):
                    said.append(f"{parts['down']} ({list(up)} @ {list(down)} for {list(want)})")
        return said


def _unpaired(parts: Mapping[Kind, str]) -> list[str]:
    """Give the tensors of a low-rank change of which a half is missing."""
    halves = {"down", "up"} & parts.keys()
    is_whole = len(halves) == 2 or not (halves or "alpha" in parts)
    return [] if is_whole else [name for kind, name in parts.items() if kind != "whole"]


def _multiply(up: Shape, down: Shape, want: Shape) -> bool:
    """Tell whether up @ down has the wanted shape; a convolution's up is 1 x 1."""
    if len(up) < 2 or len(down) < 2:
        return False
    return up[1] == down[0] and (up[0], *down[1:]) == want and all(n == 1 for n in up[2:])


def _squeezed(shape: Shape) -> Shape:
    """Leave out lengths of one: a modulation may be stored as [6, C] for [1, 6, C]."""
    return tuple(length for length in shape if length != 1)
