"""Weights that never heard a voice: what bindings are compared from.

A transformer binds voices in one way, and its hearing fits no other. To compare the two, both begin
with the same trained pictures, prompts and time, and learn to hear from nothing, for as long.
"""

from __future__ import annotations

import torch

from models.errors import CheckpointError
from models.studio.config import Binding
from models.studio.dit import StudioDiT
from models.studio.voices import LabelHearing
from training.stages.dit.shipped import PRESETS, TrainedDit

OF_HEARING = ("audio_tokens.", "movement.", "face_encoder.")
IN_BLOCKS = ".hearing."


def is_hearing(name: str) -> bool:
    """Say whether a parameter belongs to what hears, or is told how faces move."""
    return name.startswith(OF_HEARING) or IN_BLOCKS in name


def unheard(trained: TrainedDit, binding: Binding, seed: int) -> TrainedDit:
    """Give a transformer that knows all that `trained` does but voices and told motion.

    Args:
        trained: of any binding.
        binding: of what is given.
        seed: of the first weights of what hears. What it adds to pictures is nothing at first.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fresh = StudioDiT(PRESETS[trained.preset](binding))
    for block in fresh.typed_blocks():
        hearing = block.hearing
        last = hearing.proj if isinstance(hearing, LabelHearing) else hearing.o
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    kept = {name: x for name, x in trained.dit.state_dict().items() if not is_hearing(name)}
    unknown = fresh.load_state_dict(kept, strict=False).unexpected_keys
    if unknown:
        raise CheckpointError(f"bindings differ in more than hearing: {unknown}")
    return trained._replace(dit=fresh)
