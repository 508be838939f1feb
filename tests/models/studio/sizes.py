"""Studio networks small enough to be built in every test."""

from __future__ import annotations

import torch

from models.multitalk.labels import LabelRanges
from models.studio.config import Binding, StudioConfig, TextEncoderConfig
from models.studio.vae_config import StudioVAEConfig, Widths
from models.wan.config import WanConfig


def tiny_vae() -> StudioVAEConfig:
    """Give an autoencoder of some thousand weights."""
    return StudioVAEConfig(
        latent_channels=4,
        encoder=Widths(quarter=8, eighth=8, sixteenth=16),
        decoder=Widths(quarter=8, eighth=8, sixteenth=16),
        deep_blocks=1,
        frame_blocks=2,
        fine_blocks=1,
        max_flow_px=8.0,
    )


def tiny_studio(binding: Binding, chunk_frames: int = 1) -> StudioConfig:
    """Give a transformer of two layers."""
    text = TextEncoderConfig(words=20, length=6, dim=16, heads=2, layers=1, rows=3)
    return StudioConfig(
        wan=WanConfig(
            dim=48,
            ffn_dim=64,
            freq_dim=16,
            text_dim=text.dim,
            text_len=text.rows,
            image_dim=None,
            in_channels=8,
            out_channels=4,
            heads=2,
            layers=2,
            patch=(1, 2, 2),
            qk_norm=True,
            cross_attn_norm=True,
            eps=1e-6,
            timestep_dtype=torch.float32,
        ),
        binding=binding,
        labels=LabelRanges(interval=4, class_range=24, max_people=4),
        audio_features=8,
        audio_dim=16,
        audio_tokens=2,
        movement_dim=16,
        face_side_px=16,
        face_tokens_side=2,
        text=text,
        latent_channels=4,
        window_frames=2 * chunk_frames,
        chunk_frames=chunk_frames,
    )
