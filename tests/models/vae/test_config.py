from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from models.errors import ConfigError
from models.vae.config import WanVAEConfig, wan_vae
from models.vae.wan_vae import WanVAE

PUBLISHED_SHAPES = {
    "encoder.conv1.weight": (96, 3, 3, 3, 3),
    "encoder.downsamples.2.resample.1.weight": (96, 96, 3, 3),
    "encoder.downsamples.3.shortcut.weight": (192, 96, 1, 1, 1),
    "encoder.downsamples.5.time_conv.weight": (192, 192, 3, 1, 1),
    "encoder.downsamples.10.residual.6.bias": (384,),
    "encoder.middle.1.norm.gamma": (384, 1, 1),
    "encoder.head.2.weight": (32, 384, 3, 3, 3),
    "conv1.weight": (32, 32, 1, 1, 1),
    "conv2.weight": (16, 16, 1, 1, 1),
    "decoder.conv1.weight": (384, 16, 3, 3, 3),
    "decoder.middle.1.to_qkv.weight": (1152, 384, 1, 1),
    "decoder.upsamples.3.time_conv.weight": (768, 384, 3, 1, 1),
    "decoder.upsamples.4.residual.0.gamma": (192, 1, 1, 1),
    "decoder.upsamples.4.shortcut.weight": (384, 192, 1, 1, 1),
    "decoder.upsamples.11.resample.1.weight": (96, 192, 3, 3),
    "decoder.upsamples.14.residual.3.gamma": (96, 1, 1, 1),
    "decoder.head.0.gamma": (96, 1, 1, 1),
    "decoder.head.2.weight": (3, 96, 3, 3, 3),
}


def test_preset_has_the_published_parameters() -> None:
    with torch.device("meta"):
        state = WanVAE(wan_vae()).state_dict()
    assert len(state) == 194
    assert sum(tensor.numel() for tensor in state.values()) == 126_892_531
    assert {name: tuple(state[name].shape) for name in PUBLISHED_SHAPES} == PUBLISHED_SHAPES


def test_preset_maps_eight_pixels_and_four_frames_to_a_latent() -> None:
    assert (wan_vae().spatial_stride, wan_vae().temporal_stride) == (8, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "dim=0"),
        ({"dim_mult": ()}, "at least 1"),
        ({"dim_mult": (1, 0, 2, 3)}, "at least 1"),
        ({"temporal_downsample": (True,)}, "4 levels need 3 temporal_downsample flags, got 1"),
        ({"latent_mean": (0.0,)}, "z_dim=3 but latent_mean has 1"),
        ({"latent_std": (1.0, 1.0)}, "z_dim=3 but latent_std has 2"),
        ({"latent_std": (1.0, 0.0, 1.0)}, "its least is 0.0"),
        ({"dim": 3, "dim_mult": (1, 2, 1, 2)}, "dim=3 times 1"),
    ],
)
def test_contradicting_numbers_are_refused(
    cfg: WanVAEConfig, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        replace(cfg, **change)


def test_levels_and_frame_rate_follow_the_config() -> None:
    cfg = WanVAEConfig(
        dim=2,
        z_dim=1,
        dim_mult=(1, 2, 2),
        num_res_blocks=2,
        temporal_downsample=(True, False),
        latent_mean=(0.0,),
        latent_std=(1.0,),
    )
    with torch.random.fork_rng():
        vae = WanVAE(cfg).requires_grad_(False)
    latents = vae.encode(torch.zeros(1, 3, 5, 8, 4))
    assert latents.shape == (1, 1, 3, 2, 1)
    assert vae.decode(latents).shape == (1, 3, 5, 8, 4)
