"""Translation of published Wan configuration names, for every adapter of a Wan-based network."""

from __future__ import annotations

import torch

from models.wan.config import WanConfig
from tests.conformance.case import Json


def wan_config(
    c: Json, image_dim: int | None, timestep_dtype: torch.dtype = torch.float64
) -> WanConfig:
    """Translate the published names of a Wan configuration; absent ones have Wan's own value."""
    return WanConfig(
        dim=c["dim"],
        ffn_dim=c["ffn_dim"],
        freq_dim=c["freq_dim"],
        text_dim=c["text_dim"],
        text_len=c["text_len"],
        image_dim=image_dim,
        in_channels=c["in_dim"],
        out_channels=c["out_dim"],
        heads=c["num_heads"],
        layers=c["num_layers"],
        patch=tuple(c.get("patch_size", (1, 2, 2))),
        qk_norm=c.get("qk_norm", True),
        cross_attn_norm=c.get("cross_attn_norm", True),
        eps=c["eps"],
        timestep_dtype=timestep_dtype,
    )
