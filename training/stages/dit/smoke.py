"""Encoded dolls: what the transformer learns from when it is only to show that it learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from models.studio.audio_config import studio_audio
from models.studio.audio_encoder import AudioEncoder
from models.studio.config import Binding, StudioConfig, TextEncoderConfig, studio
from models.studio.vae import StudioVAE
from models.studio.vae_config import StudioVAEConfig, Widths
from training.stages.dolls import DollPool, doll_clip
from training.stages.latents.encoded import write_clip, write_film
from training.stages.latents.encoding import encode_clip
from training.stages.vae.scale import fit_scale
from training.studio.shards.reader import Sample

CLIPS, HELD_OUT_CLIPS = 40, 12
FRAMES, SIZE = 40, 64
STILLS, FACE_SIDE_PX = 4, 16
LATENT_CHANNELS = 8
HELD_OUT_SEED = 1_000_000


def tiny_studio(binding: Binding) -> StudioConfig:
    """Give a transformer of three layers for dolls."""
    full = studio(binding)
    text = TextEncoderConfig(words=20, length=6, dim=16, heads=2, layers=1, rows=3)
    wan = replace(
        full.wan,
        dim=64,
        ffn_dim=128,
        freq_dim=32,
        heads=2,
        layers=3,
        in_channels=2 * LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        text_dim=text.dim,
        text_len=text.rows,
    )
    return replace(
        full,
        wan=wan,
        text=text,
        latent_channels=LATENT_CHANNELS,
        audio_dim=64,
        audio_tokens=2,
        movement_dim=16,
        face_side_px=FACE_SIDE_PX,
        face_tokens_side=2,
    )


class DollEncoders(NamedTuple):
    """Both encoders, untrained: what they keep of a doll is enough to learn from."""

    vae: StudioVAE
    audio: AudioEncoder


def doll_encoders() -> DollEncoders:
    """Build the encoders of dolls, the same ones every time."""
    widths = Widths(quarter=16, eighth=32, sixteenth=64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = StudioVAE(
            StudioVAEConfig(
                latent_channels=LATENT_CHANNELS,
                encoder=widths,
                decoder=widths,
                deep_blocks=1,
                frame_blocks=1,
                fine_blocks=1,
                max_flow_px=8.0,
            )
        ).eval()
        audio = AudioEncoder(studio_audio()).eval()
    fit_scale(vae, DollPool(FRAMES, SIZE), 0)
    return DollEncoders(vae, audio)


def encode_samples(folder: Path, samples: Iterable[Sample], encoders: DollEncoders) -> None:
    """Write drawn clips into a folder, encoded and as films."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, sample in enumerate(samples):
        clip = encode_clip(sample, encoders.vae, encoders.audio, STILLS, FACE_SIDE_PX)
        path = folder / f"{index:03}.npz"
        write_clip(path, clip)
        write_film(path, sample.video)


def encode_dolls(train: Path, held_out: Path) -> None:
    """Write encoded dolls into two folders, those of the second never seen in the first."""
    encoders = doll_encoders()
    for folder, count, seed in ((train, CLIPS, 0), (held_out, HELD_OUT_CLIPS, HELD_OUT_SEED)):
        drawn = (doll_clip(np.random.default_rng(seed + k), FRAMES, SIZE) for k in range(count))
        encode_samples(folder, drawn, encoders)
