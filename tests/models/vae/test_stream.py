from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from models.errors import InputError
from models.vae.wan_vae import WanVAE


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 1, 16, 20), "multiples of 8 pixels, got 16 x 20"),
        ((1, 3, 1, 0, 16), "multiples of 8 pixels, got 0 x 16"),
        ((1, 4, 1, 16, 16), "[B, 3, T, H, W] with at least one frame, got torch.float32 (1, 4,"),
        ((3, 1, 16, 16), "got torch.float32 (3, 1, 16, 16)"),
        ((1, 3, 0, 16, 16), "at least one frame"),
        ((1, 3, 7, 16, 16), "1 + 4n video frames, got 7; drop the last 2 or add 2"),
        ((1, 3, 4, 16, 16), "1 + 4n video frames, got 4; drop the last 3 or add 1"),
    ],
)
def test_video_of_a_wrong_shape_is_refused(
    vae: WanVAE, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        vae.encode(torch.zeros(shape))


def test_video_of_bytes_is_refused(vae: WanVAE) -> None:
    with pytest.raises(InputError, match=r"floating point.*got torch\.uint8"):
        vae.encode(torch.zeros(1, 3, 1, 16, 16, dtype=torch.uint8))


@pytest.mark.parametrize("frames", [1, 5, 6])
def test_later_video_frames_come_in_fours(vae: WanVAE, video: Tensor, frames: int) -> None:
    _, past = vae.encode_chunk(video[:, :, :5], None)
    with pytest.raises(InputError, match=f"4n video frames, got {frames}"):
        vae.encode_chunk(video[:, :, :frames], past)


@pytest.mark.parametrize("shape", [(1, 4, 1, 2, 2), (3, 1, 2, 2), (1, 3, 0, 2, 2)])
def test_latents_of_a_wrong_shape_are_refused(vae: WanVAE, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=re.escape("[B, 3, F, h, w] with at least one frame")):
        vae.decode(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 3, 1, 2, 3), (2, 3, 1, 3, 2), (2, 3, 1, 2, 4)])
def test_a_past_of_another_batch_or_size_is_refused(
    vae: WanVAE, latents: Tensor, shape: tuple[int, ...]
) -> None:
    _, past = vae.decode_chunk(latents[:, :, :1], None)
    with pytest.raises(InputError, match=re.escape("got (2, 3, 2, 2, 3); start a new stream")):
        vae.decode_chunk(torch.zeros(shape), past)


def test_a_past_of_another_video_size_is_refused(vae: WanVAE, video: Tensor) -> None:
    _, past = vae.encode_chunk(video[:, :, :1], None)
    with pytest.raises(InputError, match="another batch or size"):
        vae.encode_chunk(video[:, :, 1:5, :8], past)


def test_a_past_of_the_other_direction_is_refused(
    vae: WanVAE, video: Tensor, latents: Tensor
) -> None:
    _, past = vae.encode_chunk(video[:, :, :1], None)
    with pytest.raises(InputError, match=r"Decoder.*the other direction"):
        vae.decode_chunk(latents, past)


def test_a_past_of_another_dtype_is_refused(vae: WanVAE, latents: Tensor) -> None:
    _, past = vae.decode_chunk(latents[:, :, :1], None)
    with pytest.raises(InputError, match=r"torch\.float64 on cpu.*got torch\.float16"):
        vae.decode_chunk(latents, past._replace(conv1=past.conv1.half()))
