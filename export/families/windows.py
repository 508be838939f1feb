"""Audio features of a chunk into the windows that the audio projections take.

Shape letters: B batch, P people, T video frames, W window, L feature layers, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from export.shapes import ChunkShape, TensorSpec
from models.audio_projection import AudioProjectionConfig


def feature_input(audio: AudioProjectionConfig, shape: ChunkShape) -> TensorSpec:
    """Give the input [B, P, T + W - 1, L, C]: a chunk's frames and half a window on either side.

    Where a recording begins or ends the host repeats its first or last frame.
    """
    frames = shape.video_frames + audio.window - 1
    sizes = (shape.batch, shape.people, frames, audio.layers, audio.channels)
    return TensorSpec("features", sizes)


def frame_windows(features: Tensor, window: int) -> Tensor:
    """Cut features [B, P, T + W - 1, L, C] to each frame's window: [B, P, T, W, L, C]."""
    frames = features.shape[2] - window + 1
    return torch.stack([features[:, :, i : i + frames] for i in range(window)], dim=3)
