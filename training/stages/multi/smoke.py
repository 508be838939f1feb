"""Dolls that sit in one picture: true scenes where the stage is only to show that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.stages.dit.banks import Banks
from training.stages.dit.smoke import (
    FRAMES,
    HELD_OUT_SEED,
    SIZE,
    doll_encoders,
    encode_samples,
)
from training.stages.dit.windows import ClipBank
from training.stages.dolls import doll_clip
from training.studio.shards.reader import Sample

SCENES, HELD_OUT_SCENES = 16, 6
SEED = 500_000


def doll_pairs(out: Path) -> Banks:
    """Open pairs of dolls of a smoke run, drawn and encoded when they are not there yet."""
    train, held_out = out / "pairs", out / "held-out-pairs"
    if not held_out.exists():
        encoders = doll_encoders()
        for folder, count, seed in (
            (train, SCENES, SEED),
            (held_out, HELD_OUT_SCENES, SEED + HELD_OUT_SEED),
        ):
            encode_samples(folder, (doll_pair(seed + 2 * k) for k in range(count)), encoders)
    return Banks(ClipBank([train]), ClipBank([held_out]))


def doll_pair(seed: int) -> Sample:
    """Draw two talking dolls in one picture."""
    left, right = (doll_clip(np.random.default_rng(seed + k), FRAMES, SIZE) for k in (0, 1))
    moved = {
        "landmarks": right.labels["landmarks"] + np.array([SIZE, 0], np.float32),
        "face_box": right.labels["face_box"] + np.array([SIZE, 0, SIZE, 0], np.int16),
    }
    return Sample(
        key="pair",
        start_frame=0,
        video=np.concatenate([left.video, right.video], axis=2),
        voices=np.concatenate([left.voices, right.voices]),
        labels={
            name: np.concatenate([label, moved.get(name, right.labels[name])])
            for name, label in left.labels.items()
        },
        prompt="two dolls talking",
        description={"frames": FRAMES},
    )
