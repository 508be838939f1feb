"""fp8 (E4M3) matrix products of a torch program: what the ONNX nodes of `fp8` say, as one kernel.

Weights are stored in fp8 with a scale for each output channel, inputs get one scale each, from the
largest value that a rollout showed. The channels' scales multiply the result, so that the kernel
needs one scale a side, which every GPU with fp8 (compute capability 8.9 and above) has.

Shape letters: M rows of all leading axes, K input channels, N output channels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.functional import ScalingType

from export.errors import ExportError
from export.fp8 import LARGEST

SIDE = 16  # K and N of the GPU's fp8 kernels are multiples of it
PER_TENSOR = ScalingType.TensorWise


class Fp8Linear(nn.Module):
    """A linear layer whose product is fp8."""

    weight8: Tensor  # [N, K] E4M3
    channel_scale: Tensor  # [N], in the type of the results
    input_scale: Tensor  # [] float32
    one: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, largest: float) -> None:
        """Quantize a layer's weights; `largest` is the largest input it will meet.

        Raises:
            ExportError: when the layer only ever saw zeros.
        """
        super().__init__()
        if not largest > 0:
            raise ExportError("a linear layer only saw zeros; calibrate with a real rollout")
        weight = linear.weight.detach()
        scales = (weight.float().abs().amax(dim=1) / LARGEST).clamp(min=1e-12).to(weight.dtype)
        rounded = (weight.float() / scales.float()[:, None]).clamp(-LARGEST, LARGEST)
        self.register_buffer("weight8", rounded.to(torch.float8_e4m3fn))
        self.register_buffer("channel_scale", scales)
        self.register_buffer("input_scale", torch.full((), largest / LARGEST, device=weight.device))
        self.register_buffer("one", torch.ones((), device=weight.device))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., K] to [..., N]."""
        rows = x.reshape(-1, x.shape[-1])  # [M, K]
        coded = (rows.float() / self.input_scale).clamp(-LARGEST, LARGEST)
        product = F.scaled_mm(
            coded.to(torch.float8_e4m3fn),
            self.weight8.t(),
            self.input_scale,
            PER_TENSOR,
            self.one,
            PER_TENSOR,
            output_dtype=x.dtype,
        )
        scaled = product * self.channel_scale
        if self.bias is not None:
            scaled = scaled + self.bias
        return scaled.reshape(*x.shape[:-1], -1)


def quantize_linears(module: nn.Module, largest: Mapping[str, float]) -> int:
    """Replace every linear layer that was watched by its fp8 form, in place; give how many.

    Args:
        module: a transformer in the type that its other layers keep.
        largest: from `fp8.watched`: the largest input of each linear layer, by module path.

    Raises:
        ExportError: when none can be, or one only saw zeros.
    """
    count = 0
    for path, bound in largest.items():
        layer = module.get_submodule(path)
        if not isinstance(layer, nn.Linear) or any(side % SIDE for side in layer.weight.shape):
            continue
        owner, _, leaf = path.rpartition(".")
        setattr(module.get_submodule(owner), leaf, Fp8Linear(layer, bound))
        count += 1
    if not count:
        raise ExportError(f"no linear layer has sides that are multiples of {SIDE}: no fp8")
    return count
