from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.vae.causal import StreamCache
from models.vae.wan_vae import WanVAE, clamp_pictures


def decode_stream(
    vae: WanVAE, latents: Tensor, cuts: list[int], past: StreamCache | None = None
) -> Tensor:
    parts = []
    for chunk in torch.split(latents, cuts, dim=2):
        frames, past = vae.decode_chunk(chunk, past)
        parts.append(frames)
    return torch.cat(parts, dim=2)


def encode_stream(vae: WanVAE, video: Tensor, cuts: list[int]) -> Tensor:
    parts, past = [], None
    for chunk in torch.split(video, cuts, dim=2):
        latents, past = vae.encode_chunk(chunk, past)
        parts.append(latents)
    return torch.cat(parts, dim=2)


def test_sizes_are_one_frame_then_four_for_each_latent(
    vae: WanVAE, video: Tensor, latents: Tensor
) -> None:
    assert vae.encode(video).shape == (2, 3, 4, 2, 3)
    assert vae.decode(latents).shape == (2, 3, 17, 16, 24)
    first, past = vae.decode_chunk(latents[:, :, :1], None)
    second, past = vae.decode_chunk(latents[:, :, 1:2], past)
    third, _ = vae.decode_chunk(latents[:, :, 2:4], past)
    assert [first.shape[2], second.shape[2], third.shape[2]] == [1, 4, 8]


@pytest.mark.parametrize("cuts", [[1, 1, 1, 1, 1], [2, 3], [3, 2], [1, 3, 1]])
def test_decoding_a_stream_equals_decoding_the_whole(
    vae: WanVAE, latents: Tensor, cuts: list[int]
) -> None:
    torch.testing.assert_close(decode_stream(vae, latents, cuts), vae.decode(latents))


@pytest.mark.parametrize("cuts", [[1, 4, 4, 4], [5, 8], [9, 4], [1, 12]])
def test_encoding_a_stream_equals_encoding_the_whole(
    vae: WanVAE, video: Tensor, cuts: list[int]
) -> None:
    torch.testing.assert_close(encode_stream(vae, video, cuts), vae.encode(video))


def test_one_pass_over_several_latent_frames_equals_one_pass_for_each(
    vae: WanVAE, latents: Tensor
) -> None:
    _, past = vae.decoder(latents[:, :, :1], None)
    at_once, cache_at_once = vae.decoder(latents[:, :, 1:], past)
    parts = []
    for part in torch.split(latents[:, :, 1:], 1, dim=2):
        frames, past = vae.decoder(part, past)
        parts.append(frames)
    torch.testing.assert_close(torch.cat(parts, dim=2), at_once)
    torch.testing.assert_close(past, cache_at_once)


@pytest.mark.parametrize("changed", [1, 3, 4])
def test_later_latents_never_change_earlier_frames(
    vae: WanVAE, latents: Tensor, changed: int
) -> None:
    other = latents.clone()
    other[:, :, changed] += 1.0
    difference = (vae.decode(other) - vae.decode(latents)).abs().amax(dim=(0, 1, 3, 4))
    first_moved = 1 + 4 * (changed - 1)
    assert difference[:first_moved].eq(0).all()
    assert difference[first_moved:].gt(0).all()


@pytest.mark.parametrize("changed", [1, 4, 5, 12])
def test_later_frames_never_change_earlier_latents(
    vae: WanVAE, video: Tensor, changed: int
) -> None:
    other = video.clone()
    other[:, :, changed] *= -1.0
    difference = (vae.encode(other) - vae.encode(video)).abs().amax(dim=(0, 1, 3, 4))
    first_moved = 1 + (changed - 1) // 4
    assert difference[:first_moved].eq(0).all()
    assert difference[first_moved:].gt(0).all()


def test_two_interleaved_streams_equal_each_alone(vae: WanVAE, latents: Tensor) -> None:
    one, two = latents, latents.flip(0) * 0.5
    alone = [decode_stream(vae, z, [1] * 5) for z in (one, two)]
    parts: list[list[Tensor]] = [[], []]
    past: list[StreamCache | None] = [None, None]
    for index in range(5):
        for stream, z in enumerate((one, two)):
            frames, past[stream] = vae.decode_chunk(z[:, :, index : index + 1], past[stream])
            parts[stream].append(frames)
    for got, expected in zip(parts, alone, strict=True):
        assert torch.cat(got, dim=2).equal(expected)


def test_two_interleaved_encodings_equal_each_alone(vae: WanVAE, video: Tensor) -> None:
    one, two = video, video.flip(3)
    alone = [encode_stream(vae, v, [5, 8]) for v in (one, two)]
    start = [vae.encode_chunk(v[:, :, :5], None) for v in (one, two)]
    for v, (first, past), expected in zip((one, two), start, alone, strict=True):
        rest, _ = vae.encode_chunk(v[:, :, 5:], past)
        assert torch.cat([first, rest], dim=2).equal(expected)


def test_a_stream_can_go_back_to_an_old_cache(vae: WanVAE, video: Tensor, latents: Tensor) -> None:
    _, past = vae.decode_chunk(latents[:, :, :2], None)
    before = [tensor.clone() for tensor in past.tensors()]
    spoken, _ = vae.decode_chunk(latents[:, :, 2:], past)
    interrupted, _ = vae.decode_chunk(-latents[:, :, 2:], past)
    again, _ = vae.decode_chunk(latents[:, :, 2:], past)
    assert all(a.equal(b) for a, b in zip(before, past.tensors(), strict=True))
    assert again.equal(spoken)
    assert not interrupted.equal(spoken)

    _, past = vae.encode_chunk(video[:, :, :5], None)
    before = [tensor.clone() for tensor in past.tensors()]
    vae.encode_chunk(video[:, :, 5:], past)
    assert all(a.equal(b) for a, b in zip(before, past.tensors(), strict=True))


def test_a_batch_equals_its_videos_alone(vae: WanVAE, video: Tensor, latents: Tensor) -> None:
    torch.testing.assert_close(
        vae.decode(latents), torch.cat([vae.decode(z[None]) for z in latents])
    )
    torch.testing.assert_close(vae.encode(video), torch.cat([vae.encode(v[None]) for v in video]))


def test_latents_are_normalized_by_the_statistics_of_the_config(vae: WanVAE, video: Tensor) -> None:
    moments, _ = vae.encoder(video[:, :, :1], None)
    mu = vae.conv1(moments)[:, :3]
    mean, std = torch.tensor(vae.cfg.latent_mean), torch.tensor(vae.cfg.latent_std)
    expected = (mu - mean.reshape(3, 1, 1, 1)) / std.reshape(3, 1, 1, 1)
    torch.testing.assert_close(vae.encode(video[:, :, :1]), expected)


def test_decoding_does_not_clamp_and_clamping_is_a_step_of_its_own(
    vae: WanVAE, latents: Tensor
) -> None:
    video = vae.decode(latents * 50)
    assert video.abs().max() > 1
    assert clamp_pictures(video).abs().max() == 1


def test_dtype_follows_the_weights(vae: WanVAE, video: Tensor) -> None:
    with torch.random.fork_rng():
        half = WanVAE(vae.cfg).to(torch.bfloat16).requires_grad_(False)
    half.load_state_dict(vae.state_dict())
    latents = half.encode(video)
    decoded, past = half.decode_chunk(latents.float(), None)
    assert {latents.dtype, decoded.dtype, past.head.dtype} == {torch.bfloat16}
    assert (latents - vae.encode(video)).abs().mean() < 0.02
