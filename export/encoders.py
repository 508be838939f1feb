"""The frozen encoders of Wan-size bundles as networks: voices, prompts, pictures.

Shape letters: P people, n samples, T video frames, N tokens, L feature layers, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.errors import RequestError
from export.network import ExportNetwork
from export.shapes import TensorSpec
from models.encoders.clip import ClipImageTower
from models.encoders.umt5 import Umt5Encoder
from models.encoders.wav2vec2 import Wav2Vec2Network, stretch

SAMPLES_PER_FRAME = 640  # 16 kHz, 25 video frames a second


class VoiceWindow(nn.Module):
    """A window of prepared audio into features of its video frames.

    The window is what attention and position see: a live host slides it and takes its last frames.
    """

    def __init__(self, network: Wav2Vec2Network, frames: int) -> None:
        """Share a network's weights, for windows of so many video frames."""
        super().__init__()
        self.network = network
        self.frames = frames

    def forward(self, waveform: Tensor) -> tuple[Tensor]:
        """Turn a prepared waveform [P, n] into features [P, T, L, C]."""
        conv = self.network.conv_features(waveform)
        return (self.network.hidden_states(stretch(conv, self.frames)),)


def audio_network(network: Wav2Vec2Network, people: int, frames: int) -> ExportNetwork:
    """Give the role `audio_encoder` for windows of `frames` video frames of every voice.

    Raises:
        RequestError: when the window is too short for one convolution frame.
    """
    samples = frames * SAMPLES_PER_FRAME
    if samples < network.config.field_samples:
        raise RequestError(f"a window of {frames} video frames is too short for wav2vec2")
    return ExportNetwork(
        role="audio_encoder",
        label=None,
        module=VoiceWindow(network, frames).eval(),
        inputs=(TensorSpec("waveform", (people, samples)),),
        outputs=("features",),
    )


class PromptEncoder(nn.Module):
    """Prompt tokens into text rows; rows of padding are zeros, as the transformers expect."""

    def __init__(self, encoder: Umt5Encoder) -> None:
        """Share an encoder's weights."""
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor, token_mask: Tensor) -> tuple[Tensor]:
        """Encode tokens [1, N] with mask [1, N], 1 on real tokens, into [1, N, C]."""
        hidden = self.encoder.encode(tokens, token_mask)
        return (torch.where(token_mask[..., None] != 0, hidden, 0.0),)


def text_network(encoder: Umt5Encoder, tokens: int) -> ExportNetwork:
    """Give the role `text_encoder` for prompts padded to so many tokens."""
    return ExportNetwork(
        role="text_encoder",
        label=None,
        module=PromptEncoder(encoder).eval(),
        inputs=(
            TensorSpec("tokens", (1, tokens), torch.int64),
            TensorSpec("token_mask", (1, tokens), torch.int64),
        ),
        outputs=("text",),
    )


class PictureTokens(nn.Module):
    """A prepared picture into image tokens."""

    def __init__(self, tower: ClipImageTower) -> None:
        """Share a tower's weights."""
        super().__init__()
        self.tower = tower

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """Encode [B, 3, px, px], resized and normalized, into [B, N, C]."""
        return (self.tower(pictures),)


def picture_network(tower: ClipImageTower, pictures: int = 1) -> ExportNetwork:
    """Give the role `image_encoder`: of the whole picture, and of each face crop."""
    side = tower.config.image_px
    return ExportNetwork(
        role="image_encoder",
        label=None,
        module=PictureTokens(tower).eval(),
        inputs=(TensorSpec("pictures", (pictures, 3, side, side)),),
        outputs=("image_tokens",),
    )
