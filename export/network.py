"""One network of a bundle before it is exported: a module, and the names of what goes in and out.

Modules take their tensors by position, in the order of `inputs`, and return a tuple in the order of
`outputs`: what every exporter and every runtime can agree on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from export.errors import RequestError
from export.shapes import TensorSpec

STATE_OUTPUT = "next_"
Streams = tuple[tuple[Mapping[str, Tensor], ...], ...]
"""Calls of a network one behind another, without its states; several such streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportNetwork:
    """A role of a bundle, at one size where it depends on one.

    Raises:
        RequestError: when two tensors share a name, or a state comes in and does not go out.
    """

    role: str
    label: str | None  # of its size; None where one file serves all sizes
    module: nn.Module
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    states: tuple[str, ...] = ()  # names of inputs that go out as `next_NAME`
    aliases: tuple[tuple[str, str], ...] = ()  # output, input: to be bound to one address
    opset: int = 23
    is_chaotic: bool = False  # two of its streams part soon, however little they differ at first

    def __post_init__(self) -> None:
        for names in ([spec.name for spec in self.inputs], list(self.outputs)):
            if len(set(names)) != len(names):
                raise RequestError(f"{self.key}: two tensors share a name in {names}")
        lost = [name for name in self.states if f"{STATE_OUTPUT}{name}" not in self.outputs]
        if lost:
            raise RequestError(f"{self.key}: the states {lost} do not go out again")

    @property
    def key(self) -> str:
        """The role and size, as the manifest names it."""
        return self.role if self.label is None else f"{self.role}@{self.label}"

    @property
    def file_stem(self) -> str:
        """The name of its files, without a suffix."""
        return self.key.replace("@", "-")

    @property
    def weight_bytes(self) -> int:
        """Bytes of its weights as they are in memory."""
        return sum(p.numel() * p.element_size() for p in self.module.parameters())

    def run(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the module in torch.

        Raises:
            RequestError: when a tensor is missing, unknown or of another shape or type.
        """
        given = check_inputs(self.key, self.inputs, named)
        with torch.inference_mode():
            results = self.module(*given)
        return dict(zip(self.outputs, results, strict=True))


def check_inputs(
    key: str, specs: Sequence[TensorSpec], named: Mapping[str, Tensor]
) -> list[Tensor]:
    """Give the tensors in the order of their specs.

    Raises:
        RequestError: when a tensor is missing, unknown or of another shape or type.
    """
    names = {spec.name for spec in specs}
    if names != named.keys():
        missing, unknown = sorted(names - named.keys()), sorted(named.keys() - names)
        raise RequestError(f"{key}: missing inputs {missing}, unknown inputs {unknown}")
    for spec in specs:
        given = named[spec.name]
        if tuple(given.shape) != spec.shape or given.dtype != spec.dtype:
            raise RequestError(
                f"{key}: {spec.name} must be {spec.dtype} {spec.shape}, "
                f"got {given.dtype} {tuple(given.shape)}"
            )
    return [named[spec.name] for spec in specs]
