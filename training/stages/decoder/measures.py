"""How held-out people look through the decoder, told of their motion and not.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, H, W picture size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.studio.vae import StudioVAE
from training.stages.decoder.filmed import Filmed, told_of

SHEET_CLIPS, SHEET_FRAMES = 8, 4
MOUTH_SIDE, EYE_SIDE = 0.4, 0.25  # of the squares that count, of a face's width


@torch.no_grad()
def measure(vae: StudioVAE, batch: Filmed, latents: Tensor, sheet: Path) -> Mapping[str, float]:
    """Give PSNR in dB of all, mouths and eyes; `untold_` of the same latents with nothing told.

    Args:
        vae: the autoencoder.
        batch: whole windows of one person each.
        latents: [B, C, F, h, w] made for it.
        sheet: where a PNG goes: truth above what is shown.
    """
    looked = vae.look(batch.window.picture)
    shown = vae.decode(latents, looked, told=told_of(batch.window, latents)).video.float()
    untold = vae.decode(latents, looked).video.float()
    _draw_sheet(batch.video, shown, sheet)
    found = dict(_errors(shown, batch))
    return found | {f"untold_{name}": value for name, value in _errors(untold, batch).items()}


def _errors(shown: Tensor, batch: Filmed) -> Mapping[str, float]:
    error = (shown - batch.video).square().mean(1)  # [B, T, H, W]
    width = batch.window.face_widths[:, 0]
    at_eyes = [_near(error, batch.eyes[:, :, k], width * EYE_SIDE) for k in (0, 1)]
    at_mouth = _near(error, batch.window.mouths[:, 0], width * MOUTH_SIDE)
    return {
        "psnr_db": _psnr(error.mean()),
        "mouth_db": _psnr(at_mouth),
        "eye_db": _psnr(torch.stack(at_eyes).mean()),
    }


def _near(error: Tensor, centers: Tensor, side: Tensor) -> Tensor:
    """Average errors [B, T, H, W] in squares around centers [B, T, 2]."""
    height, width = error.shape[2:]
    down = torch.arange(height, device=error.device) - centers[..., 1, None]
    across = torch.arange(width, device=error.device) - centers[..., 0, None]
    half = side[:, None, None] / 2
    inside = (down.abs() <= half)[..., :, None] & (across.abs() <= half)[..., None, :]
    return (error * inside).sum() / inside.sum().clamp(min=1)


def _psnr(squared: Tensor) -> float:
    """Give dB of a squared error in -1..1."""
    return float(10 * torch.log10(4 / squared.clamp(min=1e-8)))


def _draw_sheet(truth: Tensor, shown: Tensor, path: Path) -> None:
    frames = np.linspace(0, truth.shape[2] - 1, SHEET_FRAMES).round().astype(int).tolist()
    rows = []
    for first in range(0, min(len(truth), SHEET_CLIPS), 2):
        for video in (truth, shown):
            parts = [
                video[k][:, frame] for k in (first, first + 1) for frame in frames if k < len(truth)
            ]
            rows.append(torch.cat(parts, dim=2))
    widest = max(row.shape[2] for row in rows)
    whole = [row for row in rows if row.shape[2] == widest]
    pixels = ((torch.cat(whole, dim=1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy()).save(path)
