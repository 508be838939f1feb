"""The studio transformer: prompt, voices with what is told of faces' motion, and both bindings.

Shape letters: B batch, P people, F latent frames, T video frames, M audio tokens, n tokens of one
latent frame, L face tokens, R text rows, H heads, D head width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from export.families.family import Named, flat, kv_names, kv_of, kv_specs
from export.families.wan import text_image_kv
from export.network import ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from models.multitalk.audio_attention import AudioKV
from models.studio.config import Binding
from models.studio.dit import StudioCondition, StudioDiT, StudioScene
from models.studio.motion import Motion
from models.studio.voices import FaceKV
from models.wan.rope import Grid, Rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioFamily:
    """The studio transformer and its conditions."""

    dit: StudioDiT

    @property
    def has_faces(self) -> bool:
        """Say whether voices are bound by face tokens."""
        return self.dit.studio.binding is Binding.IDENTITY

    def condition_inputs(self, shape: ChunkShape, dtype: torch.dtype) -> tuple[TensorSpec, ...]:
        cfg, studio = self.dit.cfg, self.dit.studio
        b, people, frames = shape.batch, shape.people, shape.chunk_frames
        text = (b, cfg.heads, cfg.text_len, cfg.head_dim)
        tokens = studio.audio_tokens
        reference = (b, studio.latent_channels, 1, shape.latent_h, shape.latent_w)
        voices: tuple[int, ...] = (b, frames, cfg.heads, people * tokens, cfg.head_dim)
        faces: list[TensorSpec] = []
        if self.has_faces:
            voices = (b, people, frames, cfg.heads, tokens, cfg.head_dim)
            seen = (b, people, cfg.heads, studio.face_tokens_side**2, cfg.head_dim)
            faces = kv_specs("face", cfg.layers, seen, dtype)
        return (
            TensorSpec("reference", reference),
            *kv_specs("text", cfg.layers, text, dtype),
            *faces,
            *kv_specs("audio", cfg.layers, voices, dtype),
            *(TensorSpec(name, self._moved(shape)) for name in self._movement),
            TensorSpec("people", (b, people, shape.tokens_per_frame)),
        )

    @property
    def _movement(self) -> list[str]:
        return [f"movement.{layer}" for layer in range(self.dit.cfg.layers)]

    def _moved(self, shape: ChunkShape) -> tuple[int, ...]:
        return (shape.batch, shape.people, shape.chunk_frames, 2 * self.dit.cfg.dim)

    def latent(self, named: Named) -> Tensor:
        frames = named["latent"].shape[2]
        reference = named["reference"].expand(-1, -1, frames, -1, -1)
        return torch.cat([named["latent"], reference], dim=1)

    def conditions(self, named: Named, shape: ChunkShape) -> list[StudioCondition]:
        layers = range(self.dit.cfg.layers)
        scene = StudioScene(
            named["reference"],
            tuple(text_image_kv(named, layer) for layer in layers),
            tuple(FaceKV(*kv_of(named, "face", layer)) for layer in layers if self.has_faces),
            named["people"],
        )
        voices = [AudioKV(*kv_of(named, "audio", layer)) for layer in layers]
        movement = [named[name] for name in self._movement]
        return self.dit.conditions(scene, voices, movement, shape.chunk_frames)

    def rotation(self, positions: Sequence[int], grid: Grid, *, is_sink: bool) -> Rotation:
        return self.dit.rotation(positions, grid, torch.device("cpu"))

    def companions(self, shape: ChunkShape) -> tuple[ExportNetwork, ...]:
        cfg, studio, layers = self.dit.cfg, self.dit.studio, self.dit.cfg.layers
        prompt = ExportNetwork(
            role="prompt",
            label=None,
            module=StudioPrompt(self.dit),
            inputs=(TensorSpec("text", (1, cfg.text_len, cfg.text_dim)),),
            outputs=tuple(kv_names("text", layers)),
        )
        lead = (shape.batch, shape.people, shape.video_frames)
        audio = ExportNetwork(
            role="audio_kv",
            label=shape.label,
            module=StudioVoices(self.dit),
            inputs=(
                TensorSpec("features", (*lead, studio.audio_features)),
                TensorSpec("motion", (*lead, studio.motion_channels)),
                TensorSpec("motion_known", (*lead, studio.motion_groups)),
            ),
            outputs=(*kv_names("audio", layers), *self._movement),
        )
        if not self.has_faces:
            return (prompt, audio)
        crops = (1, shape.people, 3, studio.face_side_px, studio.face_side_px)
        faces = ExportNetwork(
            role="face_encoder",
            label=shape.label,
            module=StudioFaces(self.dit),
            inputs=(TensorSpec("faces", crops),),
            outputs=tuple(kv_names("face", layers)),
        )
        return (prompt, faces, audio)


class StudioPrompt(nn.Module):
    """Keys and values of an encoded prompt for every layer: run once per prompt."""

    def __init__(self, dit: StudioDiT) -> None:
        """Share a transformer's weights."""
        super().__init__()
        self.dit = dit

    def forward(self, text: Tensor) -> tuple[Tensor, ...]:
        """Project rows [1, R, text_dim]."""
        return flat((kv.k_text, kv.v_text) for kv in self.dit.project_text(text))


class StudioVoices(nn.Module):
    """Keys and values of a chunk's voices for every layer: run once per chunk."""

    def __init__(self, dit: StudioDiT) -> None:
        """Share a transformer's weights."""
        super().__init__()
        self.dit = dit

    def forward(self, features: Tensor, motion: Tensor, motion_known: Tensor) -> tuple[Tensor, ...]:
        """Project features [B, P, T, Ca] and motion [B, P, T, 56], known [B, P, T, 3]."""
        told = Motion(motion, motion_known)
        return (*flat(self.dit.project_audio(features, told)), *self.dit.movement(told))


class StudioFaces(nn.Module):
    """Keys and values of every face for every layer: run once per scene."""

    def __init__(self, dit: StudioDiT) -> None:
        """Share a transformer's weights."""
        super().__init__()
        self.dit = dit

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        """Project crops [1, P, 3, side, side] in -1..1."""
        return flat(self.dit.encode_faces(faces))
