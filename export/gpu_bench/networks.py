"""Transformers and a decoder with random weights, made where they will run.

Fourteen billion numbers are drawn on a GPU in a second and on a CPU in minutes, so nothing here is
made on the CPU first. Values do not matter: the arithmetic of a dense network is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from export.dit import Form
from export.drafts import SLICE, SLICE_BF16
from export.errors import RequestError
from export.families.anytalker import AnyTalkerFamily
from export.families.family import Family
from export.families.multitalk import MultiTalkFamily
from export.fp8 import BLOCKS
from export.request import PictureSize
from export.shapes import ChunkShape
from models.anytalker.config import AnyTalkerConfig, anytalker_1_3b
from models.anytalker.dit import AnyTalkerDiT
from models.multitalk.config import MultiTalkConfig, multitalk_14b
from models.multitalk.dit import MultiTalkDiT
from models.vae.config import WanVAEConfig, wan_vae
from models.vae.wan_vae import WanVAE
from models.wan.config import VAE_PIXEL_STRIDE, WanConfig

M = TypeVar("M", bound=nn.Module)
LARGEST_INPUT = 4.5  # of a normal distribution, about
SEED = 0


class Model(NamedTuple):
    """One of the two published shapes, or a toy of it."""

    build: Callable[[], Family]  # on the current default device
    vae: WanVAEConfig


class Window(NamedTuple):
    """How a stream is cut, in latent frames."""

    chunk_frames: int
    window_frames: int


def known_models(*, is_toy: bool) -> Mapping[str, Model]:
    """Give the models by name; toys have the same parts and run on any CPU."""
    small, large, vae = anytalker_1_3b(), multitalk_14b(), wan_vae()
    if is_toy:
        small, large = _toy_anytalker(small), _toy_multitalk(large)
        vae = replace(vae, dim=4, num_res_blocks=1)
    return {
        "1.3b": Model(lambda: AnyTalkerFamily(dit=AnyTalkerDiT(small)), vae),
        "14b": Model(lambda: MultiTalkFamily(dit=MultiTalkDiT(large)), vae),
    }


def _toy_anytalker(cfg: AnyTalkerConfig) -> AnyTalkerConfig:
    wan = _toy_wan(cfg.wan)
    return replace(cfg, wan=wan, audio=replace(cfg.audio, out_dim=wan.dim))


def _toy_multitalk(cfg: MultiTalkConfig) -> MultiTalkConfig:
    return replace(cfg, wan=_toy_wan(cfg.wan))


def _toy_wan(cfg: WanConfig) -> WanConfig:
    return replace(cfg, dim=cfg.head_dim, heads=1, ffn_dim=128, layers=2, text_len=16)


def form_on(device: torch.device) -> Form:
    """Give the form of transformers on a device: CPUs may take seconds for a product in bf16."""
    return SLICE if device.type == "cpu" else SLICE_BF16


def on_meta(model: Model, device: torch.device) -> Family:
    """Build a model without memory, in the type that it has on a device."""
    with torch.device("meta"):
        family = model.build()
    family.dit.to(form_on(device).dtype).eval()
    return family


def random_family(model: Model, device: torch.device) -> Family:
    """Build a model with random weights on a device."""
    family = on_meta(model, device)
    materialize(family.dit, device)
    return family


def random_vae(model: Model, device: torch.device) -> WanVAE:
    """Build the decoder with random weights on a device."""
    with torch.device("meta"):
        vae = WanVAE(model.vae)
    return materialize(vae.to(form_on(device).dtype), device)


def materialize(module: M, device: torch.device) -> M:
    """Give a module on the meta device memory and random values, in place.

    Raises:
        RequestError: when it has buffers, whose values must be right.
    """
    if any(buffer.is_meta for buffer in module.buffers()):
        raise RequestError(f"{type(module).__name__} computes buffers; they cannot be random")
    generator = torch.Generator(device).manual_seed(SEED)
    module.to_empty(device=device)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim < 2 or max(parameter.shape) == parameter.numel():
                parameter.fill_(1.0).add_(torch.randn_like(parameter) * 0.02)
            else:
                parameter.normal_(0.0, parameter[0].numel() ** -0.5, generator=generator)
            parameter.requires_grad_(False)
    return module.eval()


def largest_inputs(dit: nn.Module) -> dict[str, float]:
    """Stand in for calibration: inputs behind a norm are about normal."""
    return {
        path: LARGEST_INPUT
        for path, layer in dit.named_modules()
        if isinstance(layer, nn.Linear) and BLOCKS in path
    }


def shape_of(size: PictureSize, window: Window) -> ChunkShape:
    """Give the shape of one case's transformer.

    Raises:
        RequestError: when the picture does not divide into tokens.
    """
    return ChunkShape(
        batch=1,
        people=size.people,
        width_px=size.width,
        height_px=size.height,
        latent_stride=VAE_PIXEL_STRIDE,
        patch=(2, 2),
        chunk_frames=window.chunk_frames,
        window_frames=window.window_frames,
        sink_frames=1,
    )
