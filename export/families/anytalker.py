"""AnyTalker: pairs of a face and a voice, any number of people, in both published forms.

Shape letters: B batch, P people, F latent frames, T video frames, M audio tokens, n tokens of one
latent frame, L tokens, H heads, D head width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from export.families.family import Named, flat, kv_names, kv_of, kv_specs
from export.families.wan import (
    PICTURE_TOKENS,
    absolute_rotation,
    joined_latent,
    prompt_network,
    reference_input,
    text_image_inputs,
    text_image_kv,
)
from export.families.windows import feature_input, frame_windows
from export.network import ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from models.anytalker.condition import FaceKV, IdentityCondition, VoiceKV
from models.anytalker.config import AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.anytalker.joint import JointAttention
from models.anytalker.legacy import FaceAudioAttention
from models.audio_projection import LatentAudioProjection
from models.wan.attention import TextImageAttention
from models.wan.rope import Grid, Rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyTalkerFamily:
    """AnyTalker's transformer and its conditions."""

    dit: AnyTalkerDiT

    def condition_inputs(self, shape: ChunkShape, dtype: torch.dtype) -> tuple[TensorSpec, ...]:
        cfg, audio = self.dit.cfg, self.dit.anytalker.audio
        lead = (shape.batch, shape.people)
        if self._is_joint:
            tokens = shape.video_frames * audio.tokens
            voices: tuple[int, ...] = (*lead, cfg.heads, tokens, cfg.head_dim)
        else:
            voices = (*lead, shape.chunk_frames, cfg.heads, audio.tokens, cfg.head_dim)
        faces = (*lead, cfg.heads, PICTURE_TOKENS, cfg.head_dim)
        rows = cfg.text_len if self._is_joint else cfg.text_len + PICTURE_TOKENS
        return (
            *reference_input(cfg, shape),
            *text_image_inputs(cfg, shape.batch, dtype, text_tokens=rows),
            *kv_specs("face", cfg.layers, faces, dtype),
            *kv_specs("audio", cfg.layers, voices, dtype),
            TensorSpec("people", (*lead, shape.tokens_per_frame)),
        )

    def latent(self, named: Named) -> Tensor:
        return joined_latent(named)

    def conditions(self, named: Named, shape: ChunkShape) -> list[IdentityCondition]:
        audio = self.dit.anytalker.audio
        masks = named["people"].repeat(1, 1, shape.chunk_frames)
        return [
            IdentityCondition(
                text_image_kv(named, layer),
                FaceKV(*kv_of(named, "face", layer)),
                VoiceKV(*kv_of(named, "audio", layer)),
                masks,
                frames=shape.chunk_frames,
                first_sees=0,
                latent_tokens=audio.frame_stride * audio.tokens,
            )
            for layer in range(self.dit.cfg.layers)
        ]

    def rotation(self, positions: Sequence[int], grid: Grid, *, is_sink: bool) -> Rotation:
        return absolute_rotation(self.dit.cfg, positions, grid)

    def companions(self, shape: ChunkShape) -> tuple[ExportNetwork, ...]:
        cfg, anytalker = self.dit.cfg, self.dit.anytalker
        attentions = [cast(TextImageAttention, block.cross_attn) for block in self.dit.blocks]
        faces = (1, shape.people, PICTURE_TOKENS, cast(int, cfg.image_dim))
        return (
            prompt_network(self.dit, attentions, is_picture_in_text=not self._is_joint),
            ExportNetwork(
                role="face_encoder",
                label=shape.label,
                module=FaceProjection(self.dit),
                inputs=(TensorSpec("face_tokens", faces),),
                outputs=tuple(kv_names("face", cfg.layers)),
            ),
            ExportNetwork(
                role="audio_kv",
                label=shape.label,
                module=PairedVoices(self.dit),
                inputs=(feature_input(anytalker.audio, shape),),
                outputs=tuple(kv_names("audio", cfg.layers)),
            ),
        )

    @property
    def _is_joint(self) -> bool:
        return self.dit.anytalker.binding is AudioBinding.JOINT


def _audio_attentions(dit: AnyTalkerDiT) -> nn.ModuleList:
    is_joint = dit.anytalker.binding is AudioBinding.JOINT
    name = "cross_attn" if is_joint else "audio_cross_attn"
    return nn.ModuleList(block.get_submodule(name) for block in dit.blocks)


class FaceProjection(nn.Module):
    """Keys and values of every face for every layer: run once per scene."""

    def __init__(self, dit: AnyTalkerDiT) -> None:
        """Share the weights of a transformer."""
        super().__init__()
        self.audio_ref_emb = dit.audio_ref_emb
        self.attentions = _audio_attentions(dit)

    def forward(self, face_tokens: Tensor) -> tuple[Tensor, ...]:
        """Project CLIP tokens [1, P, L, image_dim] of each face crop."""
        faces = self.audio_ref_emb(face_tokens)
        return flat(_typed(each).project_faces(faces) for each in self.attentions)


class PairedVoices(nn.Module):
    """Keys and values of a chunk's voices for every layer: run once per chunk."""

    def __init__(self, dit: AnyTalkerDiT) -> None:
        """Share the weights of a transformer."""
        super().__init__()
        is_joint = dit.anytalker.binding is AudioBinding.JOINT
        self.by_video_frame = dit.audio_emb if is_joint else None
        self.by_latent_frame = None if is_joint else dit.audio_proj
        self.window = dit.anytalker.audio.window
        self.attentions = _audio_attentions(dit)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Project features [B, P, T + 4, L, C] of a chunk that does not start a stream."""
        windows = frame_windows(features, self.window)
        if self.by_video_frame is not None:
            tokens = self.by_video_frame.project(windows)
        else:
            tokens = cast(LatentAudioProjection, self.by_latent_frame).project(
                windows, starts_stream=False
            )
        return flat(_typed(each).project_voices(tokens) for each in self.attentions)


def _typed(attention: nn.Module) -> JointAttention | FaceAudioAttention:
    return cast(JointAttention | FaceAudioAttention, attention)
