"""MultiTalk's guided velocity for one clip: three passes of the network, or two by audio alone.

Shape letters: B batch, F latent frames, h and w latent size, P people, T video frames.
Source: MultiTalk (arXiv 2505.22647), repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.multitalk.dit import MultiTalkAudio, MultiTalkDiT, MultiTalkScene, silence
from models.sampling.denoise import Predict
from models.sampling.guidance import (
    ApgConfig,
    ApgState,
    TextAudioScales,
    TextAudioVelocities,
    apg_audio,
    apg_text_audio,
    cfg,
    cfg_text_audio,
)
from models.wan.dit import Prediction


class Conditions(NamedTuple):
    """What one clip is made of, encoded for each pass of the guidance."""

    given: Tensor  # [B, 20, F, h, w], mask and image latent
    prompted: MultiTalkScene
    negative: MultiTalkScene
    voices: MultiTalkAudio
    silent: MultiTalkAudio  # one stream, whoever is in the picture: the published pass


def encode_conditions(
    dit: MultiTalkDiT,
    prompts: tuple[Tensor, Tensor],
    image_tokens: Tensor,
    regions: Tensor | None,
    given_and_windows: tuple[Tensor, Tensor],
) -> Conditions:
    """Encode one clip's conditions.

    Args:
        dit: the network.
        prompts: rows [L, text_dim] of the prompt and of the negative prompt.
        image_tokens: CLIP tokens [1, L, image_dim] of the clip's last given frame.
        regions: [1, P + 1, h, w] of people and background, None for one person.
        given_and_windows: mask and image latent [1, 20, F, h, w]; audio windows
            [1, P, T, W, L, C].

    Raises:
        InputError: as `MultiTalkDiT.encode_scene` and `encode_audio`.
    """
    given, windows = given_and_windows
    prompted, negative = (dit.encode_scene([rows], image_tokens, regions) for rows in prompts)
    return Conditions(
        given, prompted, negative, dit.encode_audio(windows), dit.encode_audio(silence(windows))
    )


def guided_velocity(
    dit: MultiTalkDiT, conditions: Conditions, scales: TextAudioScales, apg: ApgConfig | None
) -> Predict[ApgState]:
    """Give the prediction that a denoising loop asks for, on latents [B, 16, F, h, w].

    A text scale of 1 needs no pass without text.
    """

    def velocity(
        latent: Tensor, timestep: Tensor, scene: MultiTalkScene, audio: MultiTalkAudio
    ) -> Tensor:
        told = timestep.to(latent).expand(len(latent))
        prediction: Prediction = dit(
            torch.cat([latent, conditions.given], dim=1), told, scene, audio
        )
        return prediction.velocity

    def by_audio(latent: Tensor, timestep: Tensor, state: ApgState) -> tuple[Tensor, ApgState]:
        scene = conditions.prompted
        full = velocity(latent, timestep, scene, conditions.voices)
        without = velocity(latent, timestep, scene, conditions.silent)
        if apg is None:
            return cfg(full, without, scales.audio), state
        return apg_audio(full, without, scales.audio, state, apg)

    def by_text_and_audio(
        latent: Tensor, timestep: Tensor, state: ApgState
    ) -> tuple[Tensor, ApgState]:
        velocities = TextAudioVelocities(
            full=velocity(latent, timestep, conditions.prompted, conditions.voices),
            without_text=velocity(latent, timestep, conditions.negative, conditions.voices),
            without_both=velocity(latent, timestep, conditions.negative, conditions.silent),
        )
        if apg is None:
            return cfg_text_audio(velocities, scales), state
        return apg_text_audio(velocities, scales, state, apg)

    return by_audio if scales.text == 1 else by_text_and_audio
