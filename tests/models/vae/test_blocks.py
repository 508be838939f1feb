from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.vae.blocks import ChannelNorm, FrameAttention
from models.vae.resample import Downsample, Upsample


def random(*shape: int, seed: int = 7) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_norm_divides_by_the_root_mean_square_of_the_channels() -> None:
    norm, x = ChannelNorm(6, axes=3), random(2, 6, 3, 4, 5)
    nn.init.uniform_(norm.gamma, 0.5, 1.5, generator=torch.Generator().manual_seed(1))
    expected = x / x.square().mean(dim=1, keepdim=True).sqrt() * norm.gamma
    torch.testing.assert_close(norm(x), expected)


def test_norm_of_black_is_zero_not_nan() -> None:
    assert ChannelNorm(4, axes=2)(torch.zeros(1, 4, 2, 2)).eq(0).all()


def test_attention_mixes_pixels_of_one_frame_only() -> None:
    with torch.random.fork_rng(), torch.no_grad():
        attention = FrameAttention(4)
    x = random(1, 4, 3, 2, 2)
    changed = x.clone()
    changed[:, :, 1, 0, 0] += 1.0
    moved = (
        (attention(changed, None)[0] - attention(x, None)[0]).abs().amax(dim=(0, 1))
    )  # [T, h, w]
    assert moved[1].gt(0).all()
    assert moved[[0, 2]].eq(0).all()


def test_downsampling_lets_the_first_frame_pass_and_then_halves_time() -> None:
    with torch.random.fork_rng():
        down = Downsample(2, is_temporal=True)
    assert down.time_conv is not None
    x = random(1, 2, 5, 6, 4)
    picture = down.resample.state_dict()
    frames = F.pad(x[0].transpose(0, 1), (0, 1, 0, 1))  # zeros to the right and below only
    halved = F.conv2d(frames, picture["1.weight"], picture["1.bias"], stride=2)
    pictures = halved.transpose(0, 1)[None]  # [1, C, T, h/2, w/2]

    first, kept = down(x[:, :, :1], None)
    rest, _ = down(x[:, :, 1:], kept)

    torch.testing.assert_close(first, pictures[:, :, :1])
    weight, bias = down.time_conv.weight, down.time_conv.bias
    torch.testing.assert_close(rest, F.conv3d(pictures, weight, bias, stride=(2, 1, 1)))


def test_upsampling_lets_the_first_frame_pass_and_starts_the_second_from_zeros() -> None:
    with torch.random.fork_rng():
        up = Upsample(4, is_temporal=True)
    assert up.time_conv is not None
    x = random(1, 4, 3, 2, 3)

    first, kept = up(x[:, :, :1], None)
    second, kept = up(x[:, :, 1:2], kept)
    third, _ = up(x[:, :, 2:], kept)

    doubled = F.conv3d(
        F.pad(x[:, :, 1:], (0, 0, 0, 0, 2, 0)), up.time_conv.weight, up.time_conv.bias
    )
    early, late = doubled.chunk(2, dim=1)
    frames = torch.stack([x[0, :, 0], early[0, :, 0], late[0, :, 0], early[0, :, 1], late[0, :, 1]])
    larger = frames.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    picture = up.resample.state_dict()
    expected = F.conv2d(larger, picture["1.weight"], picture["1.bias"], padding=1).transpose(0, 1)[
        None
    ]
    torch.testing.assert_close(torch.cat([first, second, third], dim=2), expected)
