"""What the decoder makes of latents around mouths: errors that a picture shows and latents hide.

An error of a latent says little of lips: some directions move them, most do not. So mouths are
decoded from the latents made and from the true ones, and compared as the autoencoder's stage
compares them: by pixels, and by a network that reads mouths. Lids and gaze are as small: in some
examples the eyes are decoded in place of the mouth, and compared by pixels.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, h and w window
size.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.studio.vae import StudioVAE
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from training.stages.dit.windows import Window, told_by
from training.stages.vae.lip_reader import LipReader, mouth_windows, unlikeness
from training.stages.vae.shipped import READER, read_reader, read_vae

SIDE = 4  # latent positions around a mouth that are decoded, along each side
FRAMES = 2  # latent frames; the first gives the second its past


class SeenMouths(nn.Module):
    """Holds the frozen autoencoder and reader; neither learns."""

    def __init__(self, vae: StudioVAE, reader: LipReader, reading: float) -> None:
        super().__init__()
        self.vae, self.reader, self.reading = vae, reader, reading
        self.requires_grad_(False)

    def forward(
        self, made: Tensor, window: Window, first: int, at_eyes: Tensor
    ) -> dict[str, Tensor]:
        """Compare mouths or eyes of the first person in latent frames `first` and the next.

        Args:
            made: [B, C, F, h, w].
            window: the truth, and the reference picture.
            first: which frame of the window.
            at_eyes: [B] bool: whose eyes are compared in place of the mouth.

        Gives "seen", which is "places" (absolute error of pixels) plus its share of "reading".
        """
        span = slice(first * FRAMES_PER_LATENT, (first + FRAMES) * FRAMES_PER_LATENT)
        mouths = window.mouths[:, 0, span]
        places = torch.where(at_eyes[:, None, None], window.eyes[:, 0, span], mouths)
        corners = _corners(places, made.shape[3:])
        frames = slice(first, first + FRAMES)
        told = told_by(window).of_latents(frames)
        told = told._replace(people=_cut(told.people, corners, 1))
        with torch.no_grad():
            looked = self.vae.look(_cut(window.picture, corners * SPATIAL_STRIDE, SPATIAL_STRIDE))
            latents = _cut(window.latents[:, :, frames], corners, 1)
            true = self.vae.decode(latents, looked, told=told).video
        shown = self.vae.decode(_cut(made[:, :, frames], corners, 1), looked, told=told).video
        pixels = (shown - true).abs().mean()
        reading = pixels.new_zeros(())
        if not at_eyes.all():
            read = ~at_eyes
            inside = (mouths - corners[:, None].flip(-1) * SPATIAL_STRIDE)[read]
            width = window.face_widths[read, 0]
            seen = self.reader(mouth_windows(shown[read].float(), inside, width))
            wanted = self.reader(mouth_windows(true[read].float(), inside, width))
            reading = unlikeness(seen, wanted).mean() * read.float().mean()
        return {"seen": pixels + self.reading * reading, "places": pixels, "reading": reading}


def _corners(mouths: Tensor, size: torch.Size) -> Tensor:
    """Give the upper left corner, down and across, in latent positions, of each square: [B, 2]."""
    middle = mouths.mean(1).flip(-1) / SPATIAL_STRIDE
    most = torch.tensor(list(size), device=mouths.device) - SIDE
    wanted = (middle - SIDE / 2).round().long()
    return wanted.clamp(min=0).minimum(most)


def _cut(x: Tensor, corners: Tensor, stride: int) -> Tensor:
    """Cut a square of `SIDE * stride` out of each x [B, ..., h, w] at corners [B, 2]."""
    side = SIDE * stride
    pieces = [
        each[..., row : row + side, column : column + side]
        for each, (row, column) in zip(x, corners.tolist(), strict=True)
    ]
    return torch.stack(pieces)


def seen_by(vae: Path | None, reading: float, device: str) -> SeenMouths | None:
    """Read what shows mouths to a stage's losses; None when no autoencoder was named.

    Raises:
        CheckpointError: when the autoencoder, or its lip reader beside it, cannot be read.
    """
    if vae is None:
        return None
    reader = read_reader(vae.with_name(READER))
    return SeenMouths(read_vae(vae), reader, reading).to(torch.device(device))
