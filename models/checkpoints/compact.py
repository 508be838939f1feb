"""Weights of our own on disk: 16 bits a number as training writes them, or 8 where space is dear.

In the compact form every matrix is stored as whole numbers with one scale a row (its first axis),
the largest of a row being 127. Vectors and small tensors stay in 16 bits. What is read is rounded
to 16 bits, too, as bundles store it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

SCALE = "::scale"
LEAST_NUMBERS = 4096  # of a tensor that is worth it
MOST = 127


def pack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the compact form of a state dict."""
    packed = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2 or tensor.numel() < LEAST_NUMBERS or not tensor.is_floating_point():
            packed[name] = tensor.half() if tensor.is_floating_point() else tensor
            continue
        rows = tensor.float().flatten(1)
        most = rows.abs().amax(1).half().float()  # read again it is the same number
        scale = (most / MOST).clamp(min=1e-12)
        packed[name] = (rows / scale[:, None]).round().to(torch.int8).view(tensor.shape)
        packed[name + SCALE] = scale
    return packed


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give a state dict in float32, whichever form it was stored in."""
    tensors = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        exact = tensor.float() if tensor.is_floating_point() or scale is not None else tensor
        if scale is not None:
            exact = exact * scale.view(-1, *(1,) * (exact.dim() - 1))
            exact = exact.half().float()  # as bundles store it: no second rounding there
        tensors[name] = exact
    return tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict in float32.

    Raises:
        OSError: when the file cannot be read.
        SafetensorError: when it is damaged.
    """
    return unpack(load_file(path))
