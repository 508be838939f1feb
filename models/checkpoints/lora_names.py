"""What each tensor of a LoRA file changes, read off its name."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Literal, NamedTuple

Kind = Literal["down", "up", "alpha", "whole"]

# What tools put before the network's own names, the longest first.
PREFIXES = (
    "model.diffusion_model.",
    "base_model.model.",
    "diffusion_model.",
    "transformer.",
    "model.",
)
LOW_RANK: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("down", re.compile(r"(.+)\.lora_(?:A|down)(?:\.default)?\.weight")),
    ("up", re.compile(r"(.+)\.lora_(?:B|up)(?:\.default)?\.weight")),
    ("alpha", re.compile(r"(.+)\.alpha")),
)
WHOLE = re.compile(r"(.+)(\.diff|\.diff_b|\.diff_m)")
# How the tensor is called that each kind of whole change is made to.
CHANGED = {".diff": ".weight", ".diff_b": ".bias", ".diff_m": ".modulation"}


class Change(NamedTuple):
    """One tensor of a LoRA: its role, and the network's tensor it is for."""

    kind: Kind
    target: str


def change_of(name: str, targets: Container[str]) -> Change | None:
    """Say what a LoRA's tensor changes; None when the network has no such tensor.

    Args:
        name: in the file, with any of the prefixes that tools write.
        targets: names of the network's tensors.
    """
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    bare = name.removeprefix(prefix)
    for kind, pattern in LOW_RANK:
        if found := pattern.fullmatch(bare):
            target = found[1] + ".weight"
            return Change(kind, target) if target in targets else None
    if found := WHOLE.fullmatch(bare):
        # A parameter that is no module's weight, such as a modulation, may carry `.diff` itself.
        for target in (found[1] + CHANGED[found[2]], found[1]):
            if target in targets:
                return Change("whole", target)
    return None
