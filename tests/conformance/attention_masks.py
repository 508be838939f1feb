"""Masks of causal training: a safetensors file of masks by name, without a description.

Names say what a mask is: `mask_block3_local6` has chunks of three latent frames that see six.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from models.wan.masks import BlockCausal, token_mask
from tests.conformance.case import Case, Check, Json

NAME = re.compile(
    r"mask_(?P<kind>block|first_frame_independent_block|teacher_forcing_block)(?P<chunk>\d+)"
    r"(_global|_local(?P<local>\d+))?(_sink(?P<sink>\d+))?"
)


def matches(description: Json) -> bool:
    names = description.get("tensor_names", [])
    return bool(names) and all(NAME.fullmatch(name) for name in names)


def run(case: Case) -> Iterator[Check]:
    expected = case.beside(case.path.name)
    yield from case.compare_all({name: _mask(name, m) for name, m in expected.items()}, expected)


def _mask(name: str, expected: Tensor) -> Tensor:
    """Build the mask a name describes; how many tokens a frame has shows in its first row alone."""
    found = NAME.fullmatch(name)
    assert found is not None
    kind, chunk = found["kind"], int(found["chunk"])
    is_first_alone = kind.startswith("first_frame")
    visible = int(expected[0].sum())
    tokens_per_frame = visible if is_first_alone else visible // chunk
    stream = BlockCausal(
        chunk_frames=chunk,
        capacity_frames=int(found["local"]) if found["local"] else None,
        sink_frames=int(found["sink"] or 0),
        is_first_frame_alone=is_first_alone,
    )
    frames = len(expected) // tokens_per_frame
    if kind.startswith("teacher"):
        return token_mask(stream.teacher_forcing_mask(frames // 2), tokens_per_frame).to(
            torch.uint8
        )
    return token_mask(stream.frame_mask(frames), tokens_per_frame).to(torch.uint8)
