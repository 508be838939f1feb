"""The base transformer: text, and the picture where the weights have an image branch.

Shape letters: B batch, F latent frames, h and w latent size, H heads, L context tokens, D head
width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from export.families.family import Named, flat, kv_names, kv_of, kv_specs
from export.network import ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from models.wan.attention import TextImageAttention, TextImageKV
from models.wan.config import WanConfig
from models.wan.dit import WanBackbone, WanDiT
from models.wan.rope import Grid, Rotation, video_rotation

PICTURE_TOKENS = 257  # CLIP ViT-H/14: a class token and 16 x 16 patches


@dataclass(frozen=True, slots=True, kw_only=True)
class WanFamily:
    """The base transformer and its conditions."""

    dit: WanDiT

    def condition_inputs(self, shape: ChunkShape, dtype: torch.dtype) -> tuple[TensorSpec, ...]:
        return (
            *reference_input(self.dit.cfg, shape),
            *text_image_inputs(self.dit.cfg, shape.batch, dtype),
        )

    def latent(self, named: Named) -> Tensor:
        return joined_latent(named)

    def conditions(self, named: Named, shape: ChunkShape) -> list[TextImageKV]:
        return [text_image_kv(named, layer) for layer in range(self.dit.cfg.layers)]

    def rotation(self, positions: Sequence[int], grid: Grid, *, is_sink: bool) -> Rotation:
        return absolute_rotation(self.dit.cfg, positions, grid)

    def companions(self, shape: ChunkShape) -> tuple[ExportNetwork, ...]:
        attentions = [block.cross_attn for block in self.dit.typed_blocks()]
        return (prompt_network(self.dit, attentions),)


def absolute_rotation(cfg: WanConfig, positions: Sequence[int], grid: Grid) -> Rotation:
    """Give the published rotation: every frame by its position in the stream, the sink at 0."""
    return video_rotation(positions, grid, cfg.head_dim, torch.device("cpu"))


def reference_input(cfg: WanConfig, shape: ChunkShape) -> list[TensorSpec]:
    """List what is appended to the noisy latent: mask and image latent, if the weights take any."""
    extra = cfg.in_channels - cfg.out_channels
    return [TensorSpec("reference", shape.latent(extra))] if extra else []


def joined_latent(named: Named) -> Tensor:
    """Give the noisy latent with what is appended to it."""
    if "reference" not in named:
        return named["latent"]
    return torch.cat([named["latent"], named["reference"]], dim=1)


def text_image_inputs(
    cfg: WanConfig, batch: int, dtype: torch.dtype, *, text_tokens: int | None = None
) -> list[TensorSpec]:
    """List keys and values of the prompt and, with an image branch, of the picture."""
    rows = text_tokens or cfg.text_len
    specs = kv_specs("text", cfg.layers, (batch, cfg.heads, rows, cfg.head_dim), dtype)
    if cfg.image_dim is not None:
        shape = (batch, cfg.heads, PICTURE_TOKENS, cfg.head_dim)
        specs += kv_specs("image", cfg.layers, shape, dtype)
    return specs


def text_image_kv(named: Named, layer: int) -> TextImageKV:
    """Give one layer's keys and values of prompt and picture."""
    text = kv_of(named, "text", layer)
    if f"image_k.{layer}" not in named:
        return TextImageKV(text.k, text.v, None, None)
    return TextImageKV(*text, *kv_of(named, "image", layer))


class PromptProjection(nn.Module):
    """Keys and values of a prompt (and picture) for every layer: run once per prompt."""

    def __init__(
        self,
        dit: WanBackbone[Any],
        attentions: Sequence[TextImageAttention],
        *,
        is_picture_in_text: bool,
    ) -> None:
        """Share the weights of a transformer.

        `is_picture_in_text` leads the text by the picture's tokens, as AnyTalker 14B does.
        """
        super().__init__()
        self.text_embedding = dit.text_embedding
        self.img_emb = dit.img_emb if dit.cfg.image_dim is not None else None
        self.attentions = nn.ModuleList(attentions)
        self.is_picture_in_text = is_picture_in_text

    def forward(self, text: Tensor, image_tokens: Tensor | None = None) -> tuple[Tensor, ...]:
        """Project text [1, L, text_dim] and tokens [1, L', image_dim]: text K/V, then image K/V."""
        rows = self.text_embedding(text)
        picture = None
        if self.img_emb is not None and image_tokens is not None:
            picture = self.img_emb(image_tokens)
        if self.is_picture_in_text and picture is not None:
            rows = torch.cat([picture, rows], dim=1)
        attentions = (cast(TextImageAttention, each) for each in self.attentions)
        projected = [attention.project(rows, picture) for attention in attentions]
        texts = flat((each.k_text, each.v_text) for each in projected)
        pictures = [
            tensor
            for each in projected
            for tensor in (each.k_image, each.v_image)
            if tensor is not None
        ]
        return (*texts, *pictures)


def prompt_network(
    dit: WanBackbone[Any],
    attentions: Sequence[TextImageAttention],
    *,
    is_picture_in_text: bool = False,
) -> ExportNetwork:
    """Give the network of the role `prompt`."""
    cfg = dit.cfg
    inputs = [TensorSpec("text", (1, cfg.text_len, cfg.text_dim))]
    outputs = kv_names("text", cfg.layers)
    if cfg.image_dim is not None:
        inputs.append(TensorSpec("image_tokens", (1, PICTURE_TOKENS, cfg.image_dim)))
        outputs += kv_names("image", cfg.layers)
    return ExportNetwork(
        role="prompt",
        label=None,
        module=PromptProjection(dit, attentions, is_picture_in_text=is_picture_in_text),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )
