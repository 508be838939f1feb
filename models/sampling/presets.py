"""Steps, shifts and scales the published systems run with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.sampling.guidance import TextAudioScales

WIDE_480P = {(480, 832), (832, 480)}  # height and width in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiTalkSampling:
    """Euler steps with text and audio guidance: for `multitalk_schedule` and `guidance`."""

    steps: int
    shift: float
    scales: TextAudioScales


def multitalk_480() -> MultiTalkSampling:
    """Give MultiTalk's defaults for the 480 bucket."""
    return MultiTalkSampling(steps=40, shift=7.0, scales=TextAudioScales(text=5.0, audio=4.0))


def multitalk_720() -> MultiTalkSampling:
    """Give MultiTalk's defaults for the 720 bucket."""
    return MultiTalkSampling(steps=40, shift=11.0, scales=TextAudioScales(text=5.0, audio=4.0))


def multitalk_fusionx() -> MultiTalkSampling:
    """Give MultiTalk's example for the FusionX LoRA; two passes a step, as text is at scale 1."""
    return MultiTalkSampling(steps=8, shift=2.0, scales=TextAudioScales(text=1.0, audio=2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyTalkerSampling:
    """A second-order solver with guidance by text and audio together: for `anytalker_solver`."""

    kind: Literal["unipc", "dpm++"]
    steps: int
    shift: float
    cfg_scale: float


def anytalker(height_px: int, width_px: int) -> AnyTalkerSampling:
    """Give AnyTalker's command-line defaults for a picture size; its README has CFG scale 4.5."""
    shift = 3.0 if (height_px, width_px) in WIDE_480P else 5.0
    return AnyTalkerSampling(kind="unipc", steps=20, shift=shift, cfg_scale=3.0)
