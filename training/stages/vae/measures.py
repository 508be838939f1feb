"""How well the autoencoder keeps people it never saw, by pixels and by an independent face mesh.

Shape letters: T video frames, H, W picture size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.studio.vae import StudioVAE
from models.studio.vae_config import FRAMES_PER_LATENT
from training.stages.cells import CellConfig, cell_of
from training.stages.clip_pool import eye_centers, face_widths, mouth_centers
from training.stages.vae.crops import as_pixels
from training.studio.shards.reader import Clips, Sample

MOUTH_SIDE = 0.4  # of the square that counts as mouth, of the face's width
EYE_SIDE = 0.2
SHEET_COLUMNS = 6
Pixels = NDArray[np.uint8]


class HeldOut(NamedTuple):
    """Clips of the test split, whole."""

    clips: tuple[Sample, ...]


class Rebuilt(NamedTuple):
    """A clip before and after the autoencoder."""

    sample: Sample
    video: Pixels  # [T, H, W, 3]


def read_held_out(
    folder: Path, clips: int, frames: int, cells: CellConfig | None = None
) -> HeldOut:
    """Read the first frames of some clips of one person, evenly chosen; in cells where told.

    Raises:
        InputError: when the folder holds no shard.
    """
    known = Clips(folder).clips
    chosen = [known[i * len(known) // clips] for i in range(min(clips, len(known)))]
    samples = []
    for clip in chosen:
        length = min(clip.describe()["frames"], frames)
        sample = clip.read(0, length - length % FRAMES_PER_LATENT)
        samples.append(sample if cells is None else cell_of(sample, 0, cells))
    return HeldOut(tuple(samples))


@torch.no_grad()
def rebuild(vae: StudioVAE, sample: Sample) -> Rebuilt:
    """Encode and decode a clip as a stream, the reference being its last frame."""
    device = vae.mean.device
    video = as_pixels(sample.video).to(device).transpose(0, 1)[None]
    reference = vae.look(as_pixels(sample.video[-1]).to(device)[None])
    state, pieces = None, []
    for first in range(0, video.shape[2], FRAMES_PER_LATENT):
        latent = vae.encode_raw(video[:, :, first : first + FRAMES_PER_LATENT])
        decoded = vae.decode_raw(latent, reference, state)
        state = decoded.state
        pieces.append(decoded.video[0])
    rebuilt = torch.cat(pieces, dim=1).permute(1, 2, 3, 0)
    pixels = ((rebuilt + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return Rebuilt(sample, pixels)


def measure(vae: StudioVAE, held_out: HeldOut, sheet: Path) -> Mapping[str, float]:
    """Give PSNR of all, mouths and eyes in dB, and how motion sits at latent frames' edges."""
    rebuilt = [rebuild(vae, sample) for sample in held_out.clips]
    _draw_sheet(rebuilt, sheet)
    numbers = [_pixels_of(each) for each in rebuilt]
    return {name: float(np.mean([each[name] for each in numbers])) for name in numbers[0]}


def _pixels_of(rebuilt: Rebuilt) -> dict[str, float]:
    sample = rebuilt.sample
    error = np.square(rebuilt.video.astype(np.float32) - sample.video)
    width = float(face_widths(sample)[0])
    mouths, eyes = mouth_centers(sample)[0], eye_centers(sample)[0]
    return {
        "psnr_db": _psnr(error),
        "mouth_db": _psnr(_around(error, mouths, width * MOUTH_SIDE)),
        "eye_db": _psnr(
            np.concatenate([_around(error, eyes[:, k], width * EYE_SIDE) for k in (0, 1)])
        ),
        "edge_ratio": edge_ratio(rebuilt.video),
        "true_edge_ratio": edge_ratio(sample.video),
        "motion_share": _motion(rebuilt.video) / _motion(sample.video),
    }


def _psnr(squared: NDArray[np.float32]) -> float:
    return float(10 * np.log10(255**2 / max(float(squared.mean()), 1e-3)))


def _around(
    error: NDArray[np.float32], centers: NDArray[np.float32], side: float
) -> NDArray[np.float32]:
    """Gather the errors in squares around centers [T, 2], flattened."""
    half = max(int(side / 2), 2)
    _, height, width, _ = error.shape
    pieces = []
    for frame, (across, down) in zip(error, np.round(centers).astype(int), strict=True):
        left, top = np.clip([across, down], half, [width - half, height - half])
        pieces.append(frame[top - half : top + half, left - half : left + half].ravel())
    return np.concatenate(pieces)


def edge_ratio(video: Pixels) -> float:
    """Compare frame differences at the edges of latent frames with those inside: 1 is seamless."""
    steps = np.abs(np.diff(video.astype(np.int16), axis=0)).mean((1, 2, 3))
    at_edge = np.arange(1, len(video)) % FRAMES_PER_LATENT == 0
    return float(steps[at_edge].mean() / max(float(steps[~at_edge].mean()), 1e-6))


def _motion(video: Pixels) -> float:
    return float(np.abs(np.diff(video.astype(np.int16), axis=0)).mean())


def _draw_sheet(rebuilt: Sequence[Rebuilt], path: Path) -> None:
    """Draw truth above reconstruction, a column for each of the first clips."""
    shown = rebuilt[:SHEET_COLUMNS]
    columns = []
    for each in shown:
        gaps = each.sample.labels["lip_gap_mm"][0]
        frame = int(np.argmax(gaps))
        columns.append(np.concatenate([each.sample.video[frame], each.video[frame]]))
    if len({column.shape for column in columns}) == 1:
        Image.fromarray(np.concatenate(columns, axis=1)).save(path)
