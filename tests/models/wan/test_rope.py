from __future__ import annotations

import torch

from models.wan.rope import (
    Grid,
    axis_widths,
    frame_shift_rotation,
    label_rotation,
    rotate,
    video_rotation,
)
from tests.models.tiny import generator

CPU = torch.device("cpu")


def test_published_head_width_is_split_44_42_42() -> None:
    assert axis_widths(128) == (44, 42, 42)


def test_video_rotation_equals_complex_multiplication_per_axis() -> None:
    f, h, w, head_dim = 3, 2, 4, 32
    x = torch.randn(1, 1, f * h * w, head_dim, generator=generator(), dtype=torch.float64)
    angles = []
    for axis, width in enumerate(axis_widths(head_dim)):
        place = torch.arange((f, h, w)[axis], dtype=torch.float64)
        frequencies = 10000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
        shape = [1, 1, 1, -1]
        shape[axis] = len(place)
        angles.append(torch.outer(place, frequencies).view(shape).expand(f, h, w, -1))
    turn = torch.polar(torch.ones(()).double(), torch.cat(angles, dim=-1).reshape(f * h * w, -1))
    pairs = torch.view_as_complex(x.reshape(1, 1, f * h * w, head_dim // 2, 2))
    expected = torch.view_as_real(pairs * turn)
    got = rotate(x.float(), video_rotation(range(f), Grid(f, h, w), head_dim, CPU))
    torch.testing.assert_close(got, expected.flatten(-2).float())


def test_attention_scores_depend_on_frame_distance_only() -> None:
    q, k = torch.randn(2, 1, 1, 1, 32, generator=generator()).unbind()

    def score(q_frame: int, k_frame: int) -> torch.Tensor:
        grid = Grid(1, 1, 1)
        turned_q = rotate(q, video_rotation([q_frame], grid, 32, CPU))
        turned_k = rotate(k, video_rotation([k_frame], grid, 32, CPU))
        return (turned_q * turned_k).sum()

    torch.testing.assert_close(score(7, 3), score(1007, 1003), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(score(7, 3), score(7, 4))


def test_shifting_a_rotated_key_equals_rotating_it_at_the_new_frame() -> None:
    grid = Grid(2, 2, 2)
    k = torch.randn(1, 2, 8, 32, generator=generator())
    shifted = rotate(
        rotate(k, video_rotation([900, 901], grid, 32, CPU)), frame_shift_rotation(-890, 32, CPU)
    )
    torch.testing.assert_close(shifted, rotate(k, video_rotation([10, 11], grid, 32, CPU)))


def test_positions_are_exact_after_a_year() -> None:
    year = 365 * 24 * 3600 * 25 // 4
    near = video_rotation([3], Grid(1, 1, 1), 128, CPU)
    far = video_rotation([year + 3], Grid(1, 1, 1), 128, CPU)
    back = frame_shift_rotation(-year, 128, CPU)
    cos = far.cos * back.cos - far.sin * back.sin
    torch.testing.assert_close(cos, near.cos, atol=1e-6, rtol=0)


def test_label_zero_does_not_turn_and_fractions_do() -> None:
    x = torch.randn(1, 1, 3, 16, generator=generator())
    turned = rotate(x, label_rotation(torch.tensor([0.0, 2.0, 2.5]), 16))
    torch.testing.assert_close(turned[:, :, 0], x[:, :, 0])
    alike = rotate(x[:, :, 2:], label_rotation(torch.tensor([2.0]), 16))
    assert not torch.allclose(turned[:, :, 2:], alike)
