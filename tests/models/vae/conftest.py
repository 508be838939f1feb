"""A Wan VAE of a few thousand random weights, and a video and latents for it.

In float64, so that a claim of equality is not blurred by rounding.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.vae.config import WanVAEConfig
from models.vae.wan_vae import WanVAE


@pytest.fixture(scope="session")
def cfg() -> WanVAEConfig:
    return WanVAEConfig(
        dim=4,
        z_dim=3,
        dim_mult=(1, 2, 2, 3),
        num_res_blocks=1,
        temporal_downsample=(False, True, True),
        latent_mean=(0.5, -0.25, 0.0),
        latent_std=(2.0, 1.5, 0.75),
    )


@pytest.fixture(scope="session")
def vae(cfg: WanVAEConfig) -> WanVAE:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        vae = WanVAE(cfg).double().requires_grad_(False).eval()
        for name, weight in vae.named_parameters():
            if name.endswith("gamma"):
                weight.uniform_(0.5, 1.5)
    return vae


@pytest.fixture(scope="session")
def video() -> Tensor:
    """Give two videos of 13 frames, 16 x 24 pixels: four latent frames of 2 x 3."""
    generator = torch.Generator().manual_seed(2)
    return torch.rand(2, 3, 13, 16, 24, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.fixture(scope="session")
def latents() -> Tensor:
    """Give latents of two videos of five latent frames, 16 x 24 pixels."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 3, 5, 2, 3, generator=generator, dtype=torch.float64)
