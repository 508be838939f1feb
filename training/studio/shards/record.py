"""What is kept of a clip beside its pictures and voices: one JSON object and one archive of arrays.

Shape letters: P people from left to right, T video frames, K landmarks, H, W picture size.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.studio.acting.dialogue import Dialogue
from training.studio.performance_data import ARKIT, FPS, SAMPLE_RATE, Performance, Phone
from training.studio.shards.plan import ClipPlan
from training.studio.shards.prompts import Prompt
from training.studio.stage.truth import Box, FrameTruth

FORMAT = 1
MASK_STEP = 4  # masks are kept at a quarter of the picture's size
Arrays = Mapping[str, NDArray[Any]]


def describe_clip(
    plan: ClipPlan, dialogue: Dialogue, acting: Sequence[Performance], prompt: Prompt
) -> bytes:
    """Write a clip's JSON object, keys sorted."""
    scene = plan.scene
    people = [
        {
            "identity": json.loads(identity.to_json()),
            "seat": dataclasses.asdict(seat),
            "voice": dialogue.voices[index],
            "acts": [dataclasses.asdict(act) for act in performance.acts],
            "phones": [_phone(phone) for phone in performance.phones],
        }
        for index, (identity, seat, performance) in enumerate(
            zip(scene.people, scene.seats, acting, strict=True)
        )
    ]
    described = {
        "format": FORMAT,
        "index": plan.index,
        "frames": plan.frames,
        "fps": FPS,
        "sample_rate": SAMPLE_RATE,
        "size": [scene.camera.width, scene.camera.height],
        "kind": dialogue.kind.value,
        "framing": scene.framing,
        "backdrop": dataclasses.asdict(scene.backdrop),
        "prompt": {
            "text": prompt.text,
            "segments": [dataclasses.asdict(segment) for segment in prompt.segments],
        },
        "people": people,
    }
    return json.dumps(described, sort_keys=True).encode()


def _phone(phone: Phone) -> list[float | str]:
    return [round(phone.start, 4), round(phone.end, 4), phone.symbol]


def label_arrays(acting: Sequence[Performance], truths: Sequence[FrameTruth]) -> Arrays:
    """Gather a clip's arrays.

    Returns:
        curves [P, T, 52] as drawn; head_rad [P, T, 3]; gaze_target [P, T, 3]; is_speaking [P, T];
        lip_gap_mm [P, T]; landmarks [P, T, K, 2] pixels; face_box and visible_box [P, T, 4] as
        left, top, right, bottom, -1 where nothing shows; mask [T, H / 4, W / 4], 0 background,
        i + 1 the person at index i.
    """
    by_person = [[truth.people[person] for truth in truths] for person in range(len(acting))]
    return {
        "curves": np.stack([[t.curves for t in each] for each in by_person]).astype(np.float16),
        "head_rad": np.stack([each.head_rad for each in acting]),
        "gaze_target": np.stack([each.gaze_target for each in acting]),
        "is_speaking": np.stack([each.is_speaking for each in acting]),
        "lip_gap_mm": np.array([[t.lip_gap_mm for t in each] for each in by_person], np.float32),
        "landmarks": np.stack([[t.landmarks for t in each] for each in by_person]).astype(
            np.float32
        ),
        "face_box": np.array([[t.face for t in each] for each in by_person], np.int16),
        "visible_box": np.array(
            [[t.visible or Box(-1, -1, -1, -1) for t in each] for each in by_person], np.int16
        ),
        "mask": np.stack([truth.mask[::MASK_STEP, ::MASK_STEP] for truth in truths]),
    }


def pack_arrays(arrays: Arrays) -> bytes:
    """Write arrays as a compressed .npz; numpy stamps its members with a fixed time."""
    target = io.BytesIO()
    write: Any = np.savez_compressed  # its type takes one array's name for a flag
    write(target, **arrays)
    return target.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Read what `pack_arrays` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return dict(archive)


def curve_names() -> tuple[str, ...]:
    """Give the names of the last axis of `curves`."""
    return ARKIT
