from __future__ import annotations

import torch
from torch import Tensor, nn

from models.vae.cache import cache_from_names, name_cache
from models.vae.wan_vae import WanVAE


class DecodeStep(nn.Module):
    """One latent frame of a running stream, its past as a flat dict of tensors in and out."""

    def __init__(self, vae: WanVAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latent: Tensor, past: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        decoder = self.vae.decoder
        frames, kept = self.vae.decode_chunk(latent, cache_from_names(decoder, past))
        return frames, name_cache(decoder, kept)


def test_the_steady_state_traces_to_one_static_graph(vae: WanVAE, latents: Tensor) -> None:
    latents = latents[:1]
    first, past = vae.decode_chunk(latents[:, :, :1], None)
    named = name_cache(vae.decoder, past)
    traced = torch.export.export(DecodeStep(vae), (latents[:, :, 1:2], named)).module()

    parts = [first]
    for latent in torch.split(latents[:, :, 1:], 1, dim=2):
        frames, named = traced(latent, named)
        parts.append(frames)

    torch.testing.assert_close(torch.cat(parts, dim=2), vae.decode(latents))
    _, expected = vae.decode_chunk(latents, None)
    torch.testing.assert_close(named, name_cache(vae.decoder, expected))
