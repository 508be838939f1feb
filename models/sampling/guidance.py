"""Classifier-free guidance over text and audio, plain and adaptively projected (APG).

All velocities have one shape: [C, F, h, w] or [B, C, F, h, w]. What APG remembers between steps is
a value passed in and returned; a clip starts without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from models.errors import ConfigError

LATENT_DIMS = (-4, -3, -2, -1)  # C, F, h, w: APG measures the whole latent of one sample
SMALLEST_NORM = 1e-12  # an all-zero velocity has no direction: nothing is parallel to it


class TextAudioVelocities(NamedTuple):
    """The three passes of MultiTalk's guidance."""

    full: Tensor  # text and audio
    without_text: Tensor  # negative text, audio
    without_both: Tensor  # negative text, silent audio


class TextAudioScales(NamedTuple):
    """CFG scales; 1 leaves a condition at its own strength."""

    text: float
    audio: float


def cfg(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Push away from the unconditional velocity: u + scale * (c - u).

    AnyTalker drops text and audio together. MultiTalk with text scale 1 drops the audio only, and
    this is then its whole guidance, in two passes.

    Source: Ho and Salimans, arXiv 2207.12598.
    """
    return unconditional + scale * (conditional - unconditional)


def cfg_text_audio(velocities: TextAudioVelocities, scales: TextAudioScales) -> Tensor:
    """Guide by text and by audio separately: u + text * (c - d) + audio * (d - u).

    Source: MultiTalk (arXiv 2505.22647), repository MeiGen-AI/MultiTalk, wan/multitalk.py
    (Apache-2.0).
    """
    full, without_text, without_both = velocities
    text = scales.text * (full - without_text)
    return without_both + text + scales.audio * (without_text - without_both)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApgConfig:
    """How APG tames a guidance direction."""

    momentum: float  # of the running direction; negative pushes away from past directions
    norm_threshold: float  # longest direction, in L2 over the latent; math.inf for no limit
    eta: float  # share kept of the part parallel to the conditional velocity

    def __post_init__(self) -> None:
        if self.norm_threshold <= 0:
            raise ConfigError(
                f"norm_threshold must be positive, got {self.norm_threshold}; math.inf for no limit"
            )
        if abs(self.momentum) >= 1:
            raise ConfigError(f"|momentum| must be below 1 to stay bounded, got {self.momentum}")


def multitalk_apg() -> ApgConfig:
    """Give the values MultiTalk ships with."""
    return ApgConfig(momentum=-0.75, norm_threshold=55.0, eta=0.0)


class ApgState(NamedTuple):
    """Running guidance directions, one for each condition; None before the first step of a clip."""

    text: Tensor | None = None
    audio: Tensor | None = None


def project_guidance(
    difference: Tensor, conditional: Tensor, running: Tensor | None, config: ApgConfig
) -> tuple[Tensor, Tensor]:
    """Give the guidance to add for one condition, and its running direction for the next step.

    The running direction is shortened to the threshold, then loses (1 - eta) of its part parallel
    to the conditional velocity, in float64. It is remembered as it was before the shortening.

    Source: Sadat et al., arXiv 2410.02416, algorithm 1.
    """
    running = difference if running is None else difference + config.momentum * running
    length = running.norm(p=2, dim=LATENT_DIMS, keepdim=True)
    direction = running * (config.norm_threshold / length).clamp(max=1)
    axis = conditional.double()
    axis = axis / axis.norm(p=2, dim=LATENT_DIMS, keepdim=True).clamp(min=SMALLEST_NORM)
    parallel = (direction.double() * axis).sum(LATENT_DIMS, keepdim=True) * axis
    orthogonal = direction.double() - parallel
    dtype = difference.dtype
    return orthogonal.to(dtype) + config.eta * parallel.to(dtype), running


def apg_audio(
    full: Tensor, without_audio: Tensor, scale: float, state: ApgState, config: ApgConfig
) -> tuple[Tensor, ApgState]:
    """Guide by audio alone with APG, in two passes: c + (scale - 1) * projected(c - n).

    Source: repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).
    """
    audio, running = project_guidance(full - without_audio, full, state.audio, config)
    return full + (scale - 1) * audio, ApgState(audio=running)


def apg_text_audio(
    velocities: TextAudioVelocities, scales: TextAudioScales, state: ApgState, config: ApgConfig
) -> tuple[Tensor, ApgState]:
    """Guide by text and audio with APG, in three passes c, d, u.

    The result is c + (text - 1) * projected(c - d) + (audio - 1) * projected(d - u). Both
    differences are projected against c, each with its own running direction.

    Source: repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).
    """
    full, without_text, without_both = velocities
    text, running_text = project_guidance(full - without_text, full, state.text, config)
    audio, running_audio = project_guidance(without_text - without_both, full, state.audio, config)
    velocity = full + (scales.text - 1) * text + (scales.audio - 1) * audio
    return velocity, ApgState(running_text, running_audio)
