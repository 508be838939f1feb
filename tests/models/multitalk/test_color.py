from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError
from models.multitalk.color import lab_to_rgb, match_colors, rgb_to_lab
from tests.models.tiny import generator


def test_known_colors_have_their_published_lab_values() -> None:
    rgb = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]).double().T
    expected = torch.tensor(
        [[100.0, 0.0, 0.0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86], [0, 0, 0]]
    ).double()
    torch.testing.assert_close(rgb_to_lab(rgb).T, expected, atol=0.02, rtol=0)


def test_lab_and_back_is_the_same_color() -> None:
    rgb = torch.rand(3, 50, generator=generator()).double()
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=2e-4, rtol=0)


def test_a_matched_frame_has_the_statistics_of_the_reference() -> None:
    rng = generator()
    video = torch.rand(3, 2, 16, 16, generator=rng) * 0.4 - 0.2
    reference = torch.rand(3, 16, 16, generator=rng) * 0.3
    matched = match_colors(video, reference, 1.0)
    for frame in range(2):
        got, want = (rgb_to_lab((x.double() + 1) / 2) for x in (matched[:, frame], reference))
        torch.testing.assert_close(got.mean((1, 2)), want.mean((1, 2)), atol=0.05, rtol=0)
        torch.testing.assert_close(got.std((1, 2)), want.std((1, 2)), atol=0.05, rtol=0)


def test_strength_blends() -> None:
    rng = generator()
    video = torch.rand(3, 1, 8, 8, generator=rng) * 0.4
    reference = torch.rand(3, 8, 8, generator=rng) * 0.4
    full = match_colors(video, reference, 1.0)
    torch.testing.assert_close(match_colors(video, reference, 0.25), 0.75 * video + 0.25 * full)
    assert match_colors(video, reference, 0.0) is video


def test_a_flat_frame_takes_the_mean_without_nan() -> None:
    matched = match_colors(torch.zeros(3, 1, 4, 4), torch.full((3, 4, 4), 0.5), 1.0)
    torch.testing.assert_close(matched, torch.full((3, 1, 4, 4), 0.5), atol=1e-3, rtol=0)


def test_strength_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"color strength 1.5 is outside \[0, 1\]"):
        match_colors(torch.zeros(3, 1, 4, 4), torch.zeros(3, 4, 4), 1.5)
