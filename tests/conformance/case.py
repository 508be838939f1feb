"""One golden case: a JSON description with safetensors files beside it, and how it is compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

Json = dict[str, Any]
DEFAULT_ATOL = 2e-5
DEFAULT_RTOL = 1e-4


class CaseError(Exception):
    """A case cannot be read or is of a kind the runner does not understand."""


class Check(NamedTuple):
    """The outcome of one compared output."""

    name: str
    max_abs_diff: float
    tolerance: str
    is_ok: bool
    note: str = ""


@dataclass(frozen=True)
class Case:
    """A case file and everything it points to, read when asked for."""

    path: Path
    description: Json

    @classmethod
    def read(cls, path: Path) -> Case:
        """Parse a case file.

        Raises:
            CaseError: when the file is missing, is no JSON or is no JSON object.
        """
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, "pt") as file:
                    return cls(path, {"tensor_names": sorted(file.keys())})
            description = json.loads(path.read_text())
        except (OSError, ValueError, SafetensorError) as error:
            raise CaseError(f"cannot read {path}: {error}") from error
        if not isinstance(description, dict):
            raise CaseError(f"{path} holds no JSON object")
        return cls(path, description)

    @property
    def config(self) -> Json:
        return dict(self.description.get("config", {}))

    @property
    def notes(self) -> str:
        return " ".join(self.description.get("notes", []))

    @cached_property
    def atol(self) -> float:
        return float(self._tolerance().get("atol", DEFAULT_ATOL))

    @cached_property
    def rtol(self) -> float:
        return float(self._tolerance().get("rtol", DEFAULT_RTOL))

    def _tolerance(self) -> Json:
        d = self.description
        return dict(d.get("suggested_tolerance") or d.get("tolerance") or {})

    def tensors(self, kind: str) -> dict[str, Tensor]:
        """Tensors of `inputs`, `intermediates` or `outputs`; empty when the case has none."""
        name = self.description.get("files", {}).get(kind)
        return self.beside(name) if name else {}

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        return self.tensors("inputs")

    @cached_property
    def outputs(self) -> dict[str, Tensor]:
        return self.tensors("outputs")

    @cached_property
    def intermediates(self) -> dict[str, Tensor]:
        return self.tensors("intermediates")

    def weights(self) -> dict[str, Tensor]:
        """The case's weights under their published names."""
        name = self.description.get("weights")
        if not name:
            raise CaseError(f"{self.path.name} names no weights")
        return self.beside(name)

    def beside(self, name: str) -> dict[str, Tensor]:
        """Read a safetensors file given relative to the case."""
        path = self.path.parent / name
        if not path.is_file():
            raise CaseError(f"{self.path.name} needs {path}, which is not there")
        return load_file(path)

    def noted_file(self, suffix: str) -> dict[str, Tensor]:
        """Read the first file with `suffix` that the case's notes point to.

        Some cases borrow conditioning or weights from another case and say so only in prose.
        """
        found = re.search(rf"[\w./-]+{re.escape(suffix)}", self.notes)
        if not found:
            raise CaseError(f"{self.path.name}: no *{suffix} is named in its notes")
        return self.beside(found.group())

    def check_outputs(self, computed: Mapping[str, Tensor]) -> Iterator[Check]:
        """Compare each output of the case by name; one that was not computed fails."""
        yield from self.compare_all(computed, self.outputs)

    def compare_all(
        self, computed: Mapping[str, Tensor], expected: Mapping[str, Tensor]
    ) -> Iterator[Check]:
        """Compare every expected tensor with the computed one of the same name."""
        for name, tensor in expected.items():
            if name in computed:
                yield compare(name, computed[name], tensor, atol=self.atol, rtol=self.rtol)
            else:
                yield Check(name, float("nan"), "-", False, "not computed by the runner")


def compare(name: str, got: Tensor, expected: Tensor, *, atol: float, rtol: float) -> Check:
    """Compare elementwise, |got - expected| <= atol + rtol * |expected|; NaN always fails."""
    tolerance = f"{atol:.1e}+{rtol:.0e}*|x|"
    if got.shape != expected.shape:
        note = f"shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
        return Check(name, float("nan"), tolerance, False, note)
    if expected.numel() == 0:
        return Check(name, 0.0, tolerance, True)
    a, b = got.detach().to(torch.float64), expected.to(torch.float64)
    difference = (a - b).abs()
    is_ok = bool((difference <= atol + rtol * b.abs()).all())
    return Check(name, float(difference.max()), tolerance, is_ok)


class Group(Protocol):
    """A module that understands one kind of case."""

    def matches(self, description: Json) -> bool:
        """Say from the parsed JSON alone whether this is the group's kind of case."""
        ...

    def run(self, case: Case) -> Iterator[Check]:
        """Compute the case with our networks and compare each of its outputs."""
        ...
