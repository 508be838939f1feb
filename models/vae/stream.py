"""What a stream of the VAE takes, checked, and the loop that runs it one latent frame at a time.

Shape letters as in `wan_vae`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.errors import InputError
from models.vae.causal import StreamCache
from models.vae.coder import Coder
from models.vae.config import PICTURE_CHANNELS, WanVAEConfig

Step = Callable[[Tensor, StreamCache | None], tuple[Tensor, StreamCache]]


def run_stream(
    step: Step, x: Tensor, stride: int, past: StreamCache | None
) -> tuple[Tensor, StreamCache]:
    """Run `step` over x [B, C, T, H, W], `stride` frames at a time, and join the results in time.

    The first frame of a stream goes alone. One latent frame at a time whatever the chunk: memory
    stays that of one, and the numbers do not depend on how a stream was cut into chunks.
    """
    first = 1 if past is None else stride
    result, cache = step(x[:, :, :first], past)
    results = [result]
    for start in range(first, x.shape[2], stride):
        result, cache = step(x[:, :, start : start + stride], cache)
        results.append(result)
    return torch.cat(results, dim=2), cache


def check_video(cfg: WanVAEConfig, frames: Tensor, *, is_start: bool) -> None:
    """Refuse video frames that are not [B, 3, T, H, W] of sizes the strides divide."""
    _check_layout("video frames", "[B, 3, T, H, W]", frames, PICTURE_CHANNELS)
    _, _, count, height, width = frames.shape
    check_size(cfg, height, width)
    stride = cfg.temporal_stride
    if is_start and count % stride != 1 % stride:
        raise InputError(
            f"a stream starts with 1 + {stride}n video frames, got {count}; drop the last "
            f"{(count - 1) % stride} or add {(1 - count) % stride}"
        )
    if not is_start and count % stride:
        raise InputError(
            f"a stream goes on with {stride}n video frames, got {count}; only its start "
            f"has one more"
        )


def check_size(cfg: WanVAEConfig, height_px: int, width_px: int) -> None:
    """Refuse a picture size that the spatial stride does not divide."""
    stride = cfg.spatial_stride
    if min(height_px, width_px) < stride or height_px % stride or width_px % stride:
        raise InputError(
            f"height and width must be multiples of {stride} pixels, got {height_px} x {width_px}; "
            f"crop or pad"
        )


def check_latents(cfg: WanVAEConfig, latents: Tensor) -> None:
    """Refuse latents that are not [B, z, F, h, w]."""
    _check_layout("latents", f"[B, {cfg.z_dim}, F, h, w]", latents, cfg.z_dim)


def check_past(coder: Coder, shape: torch.Size, past: StreamCache | None) -> None:
    """Refuse a past that does not fit the coder or an input of `shape` [B, C, T, H, W]."""
    if past is None:
        return
    if len(past.layers) != len(coder.layers()):
        raise InputError(
            f"a past of this {type(coder).__name__} has {len(coder.layers())} layers, got "
            f"{len(past.layers)}; it belongs to another network, or to the other direction"
        )
    batch, channels, _, height, width = shape
    # One tensor speaks for all: the others follow from the same input.
    expected = (batch, channels, coder.conv1.past_frames, height, width)
    if tuple(past.conv1.shape) != expected:
        raise InputError(
            f"the past was made with another batch or size: its first tensor must be {expected}, "
            f"got {tuple(past.conv1.shape)}; start a new stream with past=None"
        )
    weight = coder.conv1.weight
    if past.conv1.dtype != weight.dtype or past.conv1.device != weight.device:
        raise InputError(
            f"the past must be {weight.dtype} on {weight.device} like the weights, got "
            f"{past.conv1.dtype} on {past.conv1.device}"
        )


def _check_layout(what: str, layout: str, x: Tensor, channels: int) -> None:
    if x.ndim != 5 or x.shape[1] != channels or not x.shape[2] or not x.is_floating_point():
        raise InputError(
            f"{what} must be floating point {layout} with at least one frame, got {x.dtype} "
            f"{tuple(x.shape)}"
        )
