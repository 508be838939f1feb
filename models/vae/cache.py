"""A stream's past as named tensors, as an exported network takes it, and what it costs in memory.

The names are those of the convolutions, as in `upsamples.3.time_conv`: a name and a shape are all
an engine needs to hold the past between calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import prod

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.vae.causal import CausalConv3d, StreamCache
from models.vae.coder import Coder, Decoder, Encoder
from models.vae.config import PICTURE_CHANNELS, WanVAEConfig
from models.vae.stream import check_size

Shape = tuple[int, ...]


def name_cache(coder: Coder, cache: StreamCache) -> dict[str, Tensor]:
    """Give the cache of `coder` (a VAE's `encoder` or `decoder`) as a flat list of named tensors.

    Raises:
        InputError: when the cache is not one of this coder.
    """
    names, tensors = _names(coder), cache.tensors()
    if len(names) != len(tensors):
        raise InputError(
            f"a cache of this {type(coder).__name__} has {len(names)} tensors, got {len(tensors)}; "
            f"encoder and decoder have each their own"
        )
    return dict(zip(names, tensors, strict=True))


def cache_from_names(coder: Coder, named: Mapping[str, Tensor]) -> StreamCache:
    """Undo `name_cache`, whatever the order of `named`.

    Raises:
        InputError: when a tensor is missing or unknown; every such name is listed.
    """
    names = _names(coder)
    missing, unknown = sorted(set(names) - set(named)), sorted(set(named) - set(names))
    if missing or unknown:
        raise InputError(
            f"a cache of this {type(coder).__name__} has {len(names)} tensors; "
            f"missing {missing}, unknown {unknown}"
        )
    tensors = iter([named[name] for name in names])
    conv1 = next(tensors)
    layers = tuple(tuple(islice(tensors, len(_names(layer)))) for layer in coder.layers())
    return StreamCache(conv1, layers, next(tensors))


def encoder_cache_shapes(
    cfg: WanVAEConfig, batch: int, height_px: int, width_px: int
) -> dict[str, Shape]:
    """Give the shapes of an encoding stream's past by name, for videos of one size.

    Raises:
        InputError: when height or width is not a multiple of the spatial stride.
    """
    check_size(cfg, height_px, width_px)
    return _shapes(Encoder, cfg, (batch, PICTURE_CHANNELS, 1, height_px, width_px))


def decoder_cache_shapes(
    cfg: WanVAEConfig, batch: int, height_px: int, width_px: int
) -> dict[str, Shape]:
    """Give the shapes of a decoding stream's past by name, for videos of one size.

    Raises:
        InputError: when height or width is not a multiple of the spatial stride.
    """
    check_size(cfg, height_px, width_px)
    stride = cfg.spatial_stride
    first = (batch, cfg.z_dim, 1, height_px // stride, width_px // stride)
    return _shapes(Decoder, cfg, first)


def cache_bytes(shapes: Mapping[str, Shape], dtype: torch.dtype) -> int:
    """Give the size of one cache in bytes.

    While a step runs, the old and the new one exist together: its peak is twice this, besides the
    step's own activations. An engine that writes a layer's past in place needs it once.
    """
    return sum(map(prod, shapes.values())) * dtype.itemsize


def _shapes(half: type[Encoder | Decoder], cfg: WanVAEConfig, first: Shape) -> dict[str, Shape]:
    # The network itself runs on the meta device, which computes shapes alone: no second account of
    # the architecture that could disagree with the first.
    with torch.device("meta"):
        coder = half(cfg)
        _, cache = coder(torch.empty(first), None)
    return {name: tuple(tensor.shape) for name, tensor in name_cache(coder, cache).items()}


def _names(module: nn.Module) -> list[str]:
    return [name for name, part in module.named_modules() if isinstance(part, CausalConv3d)]
