"""Encodes a rendered clip with the frozen autoencoder and audio encoder.

Shape letters: P people, T video frames, F latent frames, S side of a face crop.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.studio.audio_encoder import AudioEncoder
from models.studio.vae import StudioVAE
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from training.stages.clip_pool import eye_centers, face_widths, mouth_centers
from training.stages.latents.encoded import EncodedClip, Spoken
from training.stages.motion import HEAD, motion_of
from training.stages.regions import face_regions
from training.stages.vae.crops import as_pixels
from training.studio.performance_data import FPS, SAMPLE_RATE
from training.studio.shards.reader import Sample

PATCH = 2  # latent positions of a token, along each side
BATCH_FRAMES = 8  # latent frames encoded at once


@torch.no_grad()
def encode_clip(
    sample: Sample, vae: StudioVAE, audio: AudioEncoder, stills: int, face_side_px: int
) -> EncodedClip:
    """Encode one whole clip.

    Args:
        sample: a clip, labels and voices included.
        vae: gives latents, unit variance.
        audio: gives features and curves, in step with the video.
        stills: how many frames are encoded as references, evenly spread.
        face_side_px: side of a face crop.
    """
    length = len(sample.video) - len(sample.video) % FRAMES_PER_LATENT
    frames = np.linspace(0, length - 1, stills).round().astype(np.int32)
    height, width = sample.video.shape[1:3]
    boxes = sample.labels["face_box"].astype(np.float64)
    features, heard = listen(audio, sample.voices, length)
    motion = motion_of(sample)[:, :length].astype(np.float16)
    return EncodedClip(
        latents=_latents(vae, sample.video[:length]),
        stills=_stills(vae, sample.video[frames]),
        still_frames=frames,
        still_heads=motion[:, frames, HEAD].swapaxes(0, 1),
        pictures=sample.video[frames],
        faces=np.stack([_crops(sample.video[f], boxes[:, f], face_side_px) for f in frames]),
        regions=np.stack(
            [face_regions(boxes[:, f], (width, height), SPATIAL_STRIDE * PATCH) for f in frames]
        ).astype(np.float16),
        features=features,
        heard=heard,
        motion=motion,
        mouths=mouth_centers(sample)[:, :length],
        eyes=eye_centers(sample)[:, :length],
        face_widths=face_widths(sample),
        prompts=tuple(_prompts(sample)),
    )


@torch.no_grad()
def listen(
    audio: AudioEncoder, voices: NDArray[np.float32], frames: int
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Hear every voice [P, n] as a stream would, silence following the clip's end.

    Gives features [P, T, features] and curves [P, T, 53].
    """
    per_frame = SAMPLE_RATE // FPS
    late = audio.config.look_ahead_frames
    device = audio.to_features.weight.device
    padded = np.pad(voices, ((0, 0), (0, late * per_frame)))[:, : (frames + late) * per_frame]
    heard, _ = audio(torch.from_numpy(padded).to(device), audio.zero_state(len(voices)))
    return (
        heard.features[:, late:].cpu().numpy().astype(np.float16),
        heard.curves[:, late:].cpu().numpy().astype(np.float16),
    )


def _prompts(sample: Sample) -> list[Spoken]:
    described = sample.description.get("prompt", {})
    segments = described.get("segments") or []
    if not segments:
        return [Spoken(0, len(sample.video), sample.prompt)]
    return [Spoken(s["start_frame"], s["end_frame"], s["text"]) for s in segments]


def _latents(vae: StudioVAE, video: NDArray[np.uint8]) -> NDArray[np.float16]:
    pieces = []
    for first in range(0, len(video), BATCH_FRAMES * FRAMES_PER_LATENT):
        part = as_pixels(video[first : first + BATCH_FRAMES * FRAMES_PER_LATENT])
        latents = vae.encode(part.transpose(0, 1)[None].to(vae.mean.device))
        pieces.append(latents[0].transpose(0, 1).cpu().numpy())
    return np.concatenate(pieces).astype(np.float16)


def _stills(vae: StudioVAE, pictures: NDArray[np.uint8]) -> NDArray[np.float16]:
    latents = vae.encode_picture(as_pixels(pictures).to(vae.mean.device))
    return latents[:, :, 0].cpu().numpy().astype(np.float16)


def _crops(
    picture: NDArray[np.uint8],
    boxes: NDArray[np.float64],
    side: int,
) -> NDArray[np.uint8]:
    """Cut each face [4] as a square by its longer side: [P, S, S, 3]."""
    image, crops = Image.fromarray(picture), []
    for left, top, right, bottom in boxes:
        half = max(right - left, bottom - top) / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        square = (x - half, y - half, x + half, y + half)
        crops.append(
            np.asarray(
                image.transform(
                    (side, side), Image.Transform.EXTENT, square, Image.Resampling.BICUBIC
                )
            )
        )
    return np.stack(crops)
