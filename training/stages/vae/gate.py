"""The autoencoder's gate: can an independent face mesh still read the lips of held-out people?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.studio.vae import StudioVAE
from training.metrics.face_watch import FaceWatcher
from training.stages.judged_lips import JudgedLips, judge_lips, mouth_openings
from training.stages.vae.measures import HeldOut, rebuild

LEAST_MOTION_MM = 1.0  # deviation of the lip gap; a clip in which nobody speaks says nothing


class GatedClip(NamedTuple):
    """Lips of one clip against the true lip gap."""

    key: str
    rendered: JudgedLips  # as drawn: what the mesh can read at best
    rebuilt: JudgedLips  # after the autoencoder
    amplitude: float  # deviation of the opening after, over that before


def judge_clips(vae: StudioVAE, held_out: HeldOut) -> list[GatedClip]:
    """Judge every held-out clip in which somebody speaks; seconds a clip."""
    watcher, judged = FaceWatcher(), []
    for sample in held_out.clips:
        gap = sample.labels["lip_gap_mm"][0].astype(np.float64)
        if gap.std() < LEAST_MOTION_MM:
            continue
        before = mouth_openings(sample.video, watcher)
        after = mouth_openings(rebuild(vae, sample).video, watcher)
        judged.append(
            GatedClip(
                sample.key,
                judge_lips(before, gap),
                judge_lips(after, gap),
                float(np.nanstd(after) / max(float(np.nanstd(before)), 1e-6)),
            )
        )
    return judged
