"""The Wan VAE, either direction, as networks with their streaming caches as named tensors.

The first latent frame of a stream is one video frame and has no past, every later one is four; so
there are two graphs for each direction, which share nothing but weights.

Shape letters: B batch, F latent frames of a chunk, T video frames, H, W picture size, h and w
latent size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.network import STATE_OUTPUT, ExportNetwork
from export.shapes import ChunkShape, TensorSpec
from models.vae.cache import (
    cache_from_names,
    decoder_cache_shapes,
    encoder_cache_shapes,
    name_cache,
)
from models.vae.wan_vae import WanVAE

STATE = "cache."


def to_pixels(video: Tensor) -> Tensor:
    """Turn video [B, 3, T, H, W] in [-1, 1] into pixels [B, T, H, W, 3] uint8, rounded, clipped."""
    scaled = ((video.float().clamp(-1, 1) + 1) * 127.5).round()
    return scaled.to(torch.uint8).permute(0, 2, 3, 4, 1)


class DecoderStart(nn.Module):
    """The first latent frame of a stream: [B, C, 1, h, w] to one video frame, and the past."""

    def __init__(self, vae: WanVAE) -> None:
        """Share a VAE's weights."""
        super().__init__()
        self.vae = vae

    def forward(self, latent: Tensor) -> tuple[Tensor, ...]:
        """Give pixels [B, 1, H, W, 3], then the caches in the order of their names."""
        video, kept = self.vae.decode_chunk(latent, None)
        return (to_pixels(video), *kept.tensors())


class DecoderStep(nn.Module):
    """A later chunk of a stream: [B, C, F, h, w] to 4 F video frames, behind its past."""

    def __init__(self, vae: WanVAE, names: list[str]) -> None:
        """Share a VAE's weights; `names` are those of its caches in the order they come in."""
        super().__init__()
        self.vae = vae
        self.names = names

    def forward(self, latent: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Give pixels [B, 4 F, H, W, 3], then the caches in the order of their names."""
        named = dict(zip(self.names, past, strict=True))
        cache = cache_from_names(self.vae.decoder, named)
        video, kept = self.vae.decode_chunk(latent, cache)
        after = name_cache(self.vae.decoder, kept)
        return (to_pixels(video), *(after[name] for name in self.names))


def decoder_networks(vae: WanVAE, shape: ChunkShape) -> tuple[ExportNetwork, ExportNetwork]:
    """Give the networks of the roles `vae_decoder_start` and `vae_decoder` at one size."""
    shapes = decoder_cache_shapes(vae.cfg, shape.batch, shape.height_px, shape.width_px)
    names = list(shapes)
    caches = [TensorSpec(f"{STATE}{name}", size) for name, size in shapes.items()]
    after = tuple(f"{STATE_OUTPUT}{spec.name}" for spec in caches)
    latent = (shape.batch, vae.cfg.z_dim, 1, shape.latent_h, shape.latent_w)
    start = ExportNetwork(
        role="vae_decoder_start",
        label=shape.label,
        module=DecoderStart(vae).eval(),
        inputs=(TensorSpec("latent", latent),),
        outputs=("pixels", *after),
    )
    step = ExportNetwork(
        role="vae_decoder",
        label=shape.label,
        module=DecoderStep(vae, names).eval(),
        inputs=(TensorSpec("latent", shape.latent(vae.cfg.z_dim)), *caches),
        outputs=("pixels", *after),
        states=tuple(spec.name for spec in caches),
    )
    return start, step


class EncoderStart(nn.Module):
    """The first video frame of a stream: a picture to its latent frame, and the past."""

    def __init__(self, vae: WanVAE) -> None:
        """Share a VAE's weights."""
        super().__init__()
        self.vae = vae

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Encode [B, 3, H, W] in -1..1 as [B, C, 1, h, w]; then the caches by their names."""
        latent, kept = self.vae.encode_chunk(picture[:, :, None], None)
        return (latent, *kept.tensors())


class EncoderStep(nn.Module):
    """The video frames of one later latent frame, behind their past."""

    def __init__(self, vae: WanVAE, names: list[str]) -> None:
        """Share a VAE's weights; `names` are those of its caches in the order they come in."""
        super().__init__()
        self.vae = vae
        self.names = names

    def forward(self, video: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Encode [B, 3, 4, H, W] in -1..1 as [B, C, 1, h, w]; then the caches by their names."""
        named = dict(zip(self.names, past, strict=True))
        cache = cache_from_names(self.vae.encoder, named)
        latent, kept = self.vae.encode_chunk(video, cache)
        after = name_cache(self.vae.encoder, kept)
        return (latent, *(after[name] for name in self.names))


def encoder_networks(vae: WanVAE, shape: ChunkShape) -> tuple[ExportNetwork, ExportNetwork]:
    """Give the networks of the roles `vae_encoder_start` and `vae_encoder` at one size."""
    size = (shape.height_px, shape.width_px)
    shapes = encoder_cache_shapes(vae.cfg, shape.batch, *size)
    names = list(shapes)
    caches = [TensorSpec(f"{STATE}{name}", each) for name, each in shapes.items()]
    after = tuple(f"{STATE_OUTPUT}{spec.name}" for spec in caches)
    start = ExportNetwork(
        role="vae_encoder_start",
        label=shape.label,
        module=EncoderStart(vae).eval(),
        inputs=(TensorSpec("picture", (shape.batch, 3, *size)),),
        outputs=("picture_latent", *after),
    )
    video = (shape.batch, 3, vae.cfg.temporal_stride, *size)
    step = ExportNetwork(
        role="vae_encoder",
        label=shape.label,
        module=EncoderStep(vae, names).eval(),
        inputs=(TensorSpec("video", video), *caches),
        outputs=("video_latent", *after),
        states=tuple(spec.name for spec in caches),
    )
    return start, step
