"""MultiTalk: audio attention bound to people by labels, computed inside the graph.

Shape letters: B batch, P people, F latent frames, T video frames, M audio tokens, N tokens of a
chunk, n tokens of one latent frame, L feature layers, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from export.families.family import Named, flat, kv_names, kv_of, kv_specs
from export.families.wan import (
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
from models.multitalk.audio_attention import AudioAttention, AudioKV, key_labels
from models.multitalk.dit import MultiTalkCondition, MultiTalkDiT
from models.wan.rope import Grid, Rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiTalkFamily:
    """MultiTalk's transformer and its conditions; seats are 0, 1, 2, ... from left to right."""

    dit: MultiTalkDiT

    def condition_inputs(self, shape: ChunkShape, dtype: torch.dtype) -> tuple[TensorSpec, ...]:
        cfg, audio = self.dit.cfg, self.dit.multitalk.audio
        tokens = shape.people * audio.tokens
        voices = (shape.batch, shape.chunk_frames, cfg.heads, tokens, cfg.head_dim)
        regions = TensorSpec("people", (shape.batch, shape.people + 1, shape.tokens_per_frame))
        return (
            *reference_input(cfg, shape),
            *text_image_inputs(cfg, shape.batch, dtype),
            *kv_specs("audio", cfg.layers, voices, dtype),
            *([regions] if shape.people > 1 else []),
        )

    def latent(self, named: Named) -> Tensor:
        return joined_latent(named)

    def conditions(self, named: Named, shape: ChunkShape) -> list[MultiTalkCondition]:
        return [
            MultiTalkCondition(
                text_image_kv(named, layer),
                AudioKV(*kv_of(named, "audio", layer)),
                named.get("people"),
                tuple(range(shape.people)),
                (shape.chunk_tokens,),
            )
            for layer in range(self.dit.cfg.layers)
        ]

    def rotation(self, positions: Sequence[int], grid: Grid, *, is_sink: bool) -> Rotation:
        return absolute_rotation(self.dit.cfg, positions, grid)

    def companions(self, shape: ChunkShape) -> tuple[ExportNetwork, ...]:
        attentions = [block.cross_attn for block in self.dit.typed_blocks()]
        audio = self.dit.multitalk.audio
        voices = ExportNetwork(
            role="audio_kv",
            label=shape.label,
            module=LabeledVoices(self.dit, shape.people),
            inputs=(feature_input(audio, shape),),
            outputs=tuple(kv_names("audio", self.dit.cfg.layers)),
        )
        return (prompt_network(self.dit, attentions), voices)


class LabeledVoices(nn.Module):
    """Keys and values of a chunk's voices for every layer: run once per chunk."""

    def __init__(self, dit: MultiTalkDiT, people: int) -> None:
        """Share the weights of a transformer, for so many voices."""
        super().__init__()
        self.audio_proj = dit.audio_proj
        self.attentions = nn.ModuleList(block.audio_cross_attn for block in dit.typed_blocks())
        self.labels = key_labels(dit.multitalk.labels, range(people))

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Project features [B, P, T + 4, L, C] of a chunk that does not start a stream."""
        windows = frame_windows(features, self.audio_proj.cfg.window)
        tokens = self.audio_proj.project(windows, starts_stream=False)
        attentions = (cast(AudioAttention, each) for each in self.attentions)
        return flat(each.project(tokens, self.labels) for each in attentions)
