"""Golden cases of the Wan VAE: a video encoded and decoded, and latents decoded whole and alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.vae.config import WanVAEConfig
from models.vae.wan_vae import WanVAE, clamp_pictures
from tests.conformance.case import Case, CaseError, Check, Json


def matches(description: Json) -> bool:
    """Say whether a case is one of the Wan VAE."""
    config = description.get("config")
    return isinstance(config, dict) and config.get("model") == "wan_vae"


def run(case: Case) -> Iterator[Check]:
    """Compute whatever the case's inputs allow and compare its outputs."""
    vae = vae_from(case.config, case.weights())
    computed: dict[str, Tensor] = {}
    with torch.inference_mode():
        if "video" in case.inputs:
            computed["latent"] = vae.encode(case.inputs["video"])
            computed["recon_unclamped"] = vae.decode(computed["latent"])
        if "z_stream" in case.inputs:
            latents = case.inputs["z_stream"]
            computed["stream_full_unclamped"] = vae.decode(latents)
            computed["single_latent_decode_unclamped"] = vae.decode(latents[:, :, :1])
    for name in [name for name in computed if name.endswith("_unclamped")]:
        computed[name.removesuffix("_unclamped")] = clamp_pictures(computed[name])
    yield from case.check_outputs(computed)


def config_from(c: Json) -> WanVAEConfig:
    """Translate the published names; a manifest need not state the statistics (no tensors).

    Raises:
        CaseError: when the case has attention at scales other than the middle, as no published
            network does.
    """
    if c.get("attn_scales"):
        raise CaseError(f"attn_scales={c['attn_scales']}: only the empty list is understood")
    return WanVAEConfig(
        dim=c["dim"],
        z_dim=c["z_dim"],
        dim_mult=tuple(c["dim_mult"]),
        num_res_blocks=c["num_res_blocks"],
        temporal_downsample=tuple(c["temperal_downsample"]),
        latent_mean=tuple(c.get("latent_mean", [0.0] * c["z_dim"])),
        latent_std=tuple(c.get("latent_std", [1.0] * c["z_dim"])),
    )


def vae_from(config: Json, weights: Mapping[str, Tensor]) -> WanVAE:
    """Build the VAE a case describes and load its weights, under the published names."""
    vae = WanVAE(config_from(config))
    vae.load_state_dict(dict(weights))
    return vae.eval()
