"""Tiny transformers as families, the one shape they are exported at, and their rollouts."""

from __future__ import annotations

from collections.abc import Callable

import torch

from export.dit import Form
from export.families.anytalker import AnyTalkerFamily
from export.families.family import Family
from export.families.multitalk import MultiTalkFamily
from export.families.wan import WanFamily
from export.rollout import RollPlan
from export.shapes import ChunkShape, Flavor
from models.anytalker.config import AudioBinding
from tests.models import tiny

SLICE = Form(Flavor.SLICE, torch.float32)
INPLACE = Form(Flavor.INPLACE, torch.float32)
# The ring of 4 frames turns over 12 times.
PLAN = RollPlan(chunks=50, timesteps=(1000.0, 500.0), context_timestep=0.0, seed=3)

FAMILIES: dict[str, Callable[[], Family]] = {
    "wan": lambda: WanFamily(dit=tiny.wan()),
    "multitalk": lambda: MultiTalkFamily(dit=tiny.multitalk()),
    "anytalker": lambda: AnyTalkerFamily(dit=tiny.anytalker(AudioBinding.JOINT)),
    "anytalker_legacy": lambda: AnyTalkerFamily(dit=tiny.anytalker(AudioBinding.LEGACY)),
}


def shape(*, chunk_frames: int = 1, people: int = 2, batch: int = 1) -> ChunkShape:
    return ChunkShape(
        batch=batch,
        people=people,
        width_px=64,
        height_px=32,
        latent_stride=8,
        patch=(2, 2),
        chunk_frames=chunk_frames,
        window_frames=4,
        sink_frames=1,
    )
