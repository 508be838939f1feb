"""The frozen encoders of prompts and pictures of Wan-size bundles as networks.

Shape letters: B pictures, N tokens, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.network import ExportNetwork
from export.shapes import TensorSpec
from models.encoders.clip import ClipImageTower
from models.encoders.umt5 import Umt5Encoder


class PromptEncoder(nn.Module):
    """Prompt tokens into text rows; rows of padding are zeros, as the transformers expect."""

    def __init__(self, encoder: Umt5Encoder) -> None:
        """Share an encoder's weights."""
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor, token_mask: Tensor) -> tuple[Tensor]:
        """Encode tokens [1, N] with mask [1, N], 1 on real tokens, into [1, N, C]."""
        hidden = self.encoder.encode(tokens, token_mask)
        return (torch.where(token_mask[..., None] != 0, hidden, 0.0),)


def text_network(encoder: Umt5Encoder, tokens: int) -> ExportNetwork:
    """Give the role `text_encoder` for prompts padded to so many tokens."""
    return ExportNetwork(
        role="text_encoder",
        label=None,
        module=PromptEncoder(encoder).eval(),
        inputs=(
            TensorSpec("tokens", (1, tokens), torch.int64),
            TensorSpec("token_mask", (1, tokens), torch.int64),
        ),
        outputs=("text",),
    )


class PictureTokens(nn.Module):
    """A prepared picture into image tokens."""

    def __init__(self, tower: ClipImageTower) -> None:
        """Share a tower's weights."""
        super().__init__()
        self.tower = tower

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """Encode [B, 3, px, px], resized and normalized, into [B, N, C]."""
        return (self.tower(pictures),)


def picture_network(tower: ClipImageTower, pictures: int = 1) -> ExportNetwork:
    """Give the role `image_encoder`: run for the whole picture, and for each face crop."""
    side = tower.config.image_px
    return ExportNetwork(
        role="image_encoder",
        label=None,
        module=PictureTokens(tower).eval(),
        inputs=(TensorSpec("pictures", (pictures, 3, side, side)),),
        outputs=("image_tokens",),
    )
