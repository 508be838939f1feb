"""How self attention meets its cache in an exported graph: the two flavors' attention forms.

Shape letters: B batch, H heads, N tokens of a chunk, S cached tokens, D head width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from export.errors import RequestError
from models.wan.attention import Joined
from models.wan.kv_cache import LayerKV
from models.wan.rope import Rotation, rotate

SCATTER_OPSET = 24


class Sliced:
    """The cache is an input; the chunk's own keys and values go out and the host keeps them.

    Slots not filled yet hold zeros, which the mask hides. So does the sink while the first chunk is
    made: that chunk is its own reference.
    """

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        return rotate(x, rotation)

    def join(self, past: LayerKV | None, own: LayerKV, mask: Tensor | None) -> Joined:
        if past is None or mask is None:
            raise RequestError("an exported graph has a past and a mask from its first chunk on")
        seen = LayerKV(torch.cat([past.k, own.k], dim=2), torch.cat([past.v, own.v], dim=2))
        tokens = min(past.k.shape[2], own.k.shape[2])
        is_sink_filled = mask[:, :, :1, :1]
        reference = torch.where(is_sink_filled, past.k[:, :, :tokens], own.k[:, :, :tokens])
        return Joined(seen, own, reference)


class InPlace:
    """The cache is input and output at one address; the chunk is written at `write_index`.

    Rotation and write are ONNX operators of their own, which TensorRT turns into one layer each.
    This form is for tracing alone: in eager torch its write gives zeros.
    """

    def __init__(self, write_index: Tensor) -> None:
        """Hold where the chunk's tokens begin in the cache, int64 [B]."""
        self.write_index = write_index

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        batch = x.shape[0]
        cos, sin = (table[None].expand(batch, -1, -1) for table in rotation)
        turned: Tensor = torch.onnx.ops.rotary_embedding(x.float(), cos, sin, interleaved=True)
        return turned.to(x.dtype)

    def join(self, past: LayerKV | None, own: LayerKV, mask: Tensor | None) -> Joined:
        if past is None:
            raise RequestError("an exported graph has a cache from its first chunk on")
        present = LayerKV(self._write(past.k, own.k), self._write(past.v, own.v))
        return Joined(present, present, present.k)

    def _write(self, cache: Tensor, new: Tensor) -> Tensor:
        written: Tensor = torch.onnx.ops.symbolic(
            "TensorScatter",
            (cache, new, self.write_index),
            attrs={"axis": 2, "mode": "linear"},
            dtype=cache.dtype,
            shape=cache.shape,
            version=SCATTER_OPSET,
        )
        return written
