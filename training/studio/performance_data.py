"""What a person does over a clip: the types that pass between speech, motion and pictures.

Shape letters: T video frames at `FPS`, n samples at `SAMPLE_RATE`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

FPS = 25
SAMPLE_RATE = 16_000

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

# The coefficients of Apple's ARFaceAnchor.BlendShapeLocation in the order in which its
# documentation lists them; tongueOut comes last.
ARKIT: tuple[str, ...] = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One sound of speech, from `start` to `end` in seconds."""

    start: float
    end: float
    symbol: str  # ARPAbet-like class without stress; "SIL" for silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One utterance and the times of its sounds."""

    samples: Floats  # [n], mono, -1..1
    phones: tuple[Phone, ...]
    text: str
    voice: str
    source: str

    def __post_init__(self) -> None:
        _check_samples("Speech.samples", self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that a prompt can name, from `start_frame` up to but not including `end_frame`.

    Names: smiling, laughing, sad, angry, surprised, disgusted, skeptical, worried, nodding,
    shaking_head, tilting_head, looking_at_camera, looking_at_other, listening, talking.
    """

    start_frame: int
    end_frame: int
    name: str
    strength: float  # 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Everything one person does and says over a clip of T video frames."""

    curves: Floats  # [T, 52], 0..1, in the order of ARKIT
    head_rad: Floats  # [T, 3] yaw, pitch, roll; yaw > 0 turns to the viewer's right, pitch > 0 up
    gaze_target: Floats  # [T, 3] the point looked at, meters, world axes of the scene
    breath: Floats  # [T] 1 is a full breath in
    lean_m: Floats  # [T, 3] how far the body sways, in the person's own axes
    samples: Floats  # [n] this person's voice over the whole clip
    phones: tuple[Phone, ...]
    is_speaking: Flags  # [T]
    acts: tuple[Act, ...]

    def __post_init__(self) -> None:
        frames = len(self.curves)
        wanted = {
            "curves": (frames, len(ARKIT)),
            "head_rad": (frames, 3),
            "gaze_target": (frames, 3),
            "breath": (frames,),
            "lean_m": (frames, 3),
            "is_speaking": (frames,),
        }
        for name, shape in wanted.items():
            got = getattr(self, name).shape
            if got != shape:
                raise InputError(f"Performance.{name}: expected shape {shape}, got {got}")
        _check_samples("Performance.samples", self.samples)

    @property
    def frames(self) -> int:
        """Count the video frames, T."""
        return len(self.curves)


def _check_samples(name: str, samples: Floats) -> None:
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise InputError(f"{name}: expected float32 [n], mono, got {samples.dtype} {samples.shape}")
