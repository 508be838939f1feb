from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.errors import ConfigError, InputError
from models.wan.config import wan_i2v_14b, wan_inp_1_3b, wan_t2v_1_3b
from models.wan.dit import WanDiT
from models.wan.layers import gated_residual, modulate, timestep_embedding
from tests.models import tiny


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in WanDiT(cfg).parameters())
            for cfg in (wan_i2v_14b(), wan_inp_1_3b(), wan_t2v_1_3b())
        ]
    assert counts == [16_394_878_784, 1_564_428_608, 1_418_996_800]


def test_one_timestep_for_all_frames_equals_one_each() -> None:
    net, given = tiny.wan(), tiny.inputs(frames=3)
    scene, latent = net.encode_scene([given.prompt]), given.latent[:, :16]
    once = net.denoise(latent, torch.tensor([300.0]), scene).velocity
    each = net.denoise(latent, torch.full((1, 3), 300.0), scene).velocity
    torch.testing.assert_close(once, each)
    differing = net.denoise(latent, torch.tensor([[300.0, 300.0, 0.0]]), scene).velocity
    assert not torch.allclose(once, differing)


def test_the_picture_is_attended() -> None:
    net, given = tiny.randomized(WanDiT(tiny.wan_config())), tiny.inputs(frames=2)
    velocities = [
        net.denoise(
            given.latent, torch.tensor([9.0]), net.encode_scene([given.prompt], picture)
        ).velocity
        for picture in (given.image, given.image + 1, None)
    ]
    assert not torch.allclose(velocities[0], velocities[1])
    assert not torch.allclose(velocities[0], velocities[2])


def test_no_modulation_leaves_tokens_and_gates_them_out() -> None:
    x, none = torch.randn(1, 6, 4, generator=tiny.generator()), torch.zeros(1, 2, 1, 4)
    assert torch.equal(modulate(x, none, none), x)
    assert torch.equal(gated_residual(x, x, none), x)
    per_frame = torch.arange(2.0).reshape(1, 2, 1, 1).expand(1, 2, 1, 4)
    assert torch.equal(modulate(x, per_frame, none)[:, 3:], x[:, 3:] + 1)
    assert torch.equal(gated_residual(x, x, per_frame), torch.cat([x[:, :3], 2 * x[:, 3:]], 1))


def test_padding_of_a_prompt_is_attended() -> None:
    net, given = tiny.wan(), tiny.inputs(frames=2)
    padded = torch.cat([given.prompt, torch.zeros(2, 10)])
    velocities = [
        net.denoise(given.latent[:, :16], torch.tensor([9.0]), net.encode_scene([p])).velocity
        for p in (given.prompt, padded)
    ]
    torch.testing.assert_close(*velocities)


def test_bfloat16_weights_give_bfloat16_close_to_float32() -> None:
    given = tiny.inputs(frames=2)
    exact = _velocity(tiny.wan(), given.latent[:, :16], given.prompt)
    half = _velocity(
        tiny.wan().bfloat16(), given.latent[:, :16].bfloat16(), given.prompt.bfloat16()
    )
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).norm() / exact.norm() < 0.03


def _velocity(net: WanDiT, latent: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return net.denoise(latent, torch.tensor([500.0]), net.encode_scene([prompt])).velocity


def test_timestep_embedding_is_cosines_then_sines() -> None:
    embedded = timestep_embedding(torch.tensor([0.0, 1.0]), 4, torch.float64)
    expected = torch.tensor([[1, 1, 0, 0], [0.5403023, 0.9999500, 0.8414710, 0.0099998]])
    torch.testing.assert_close(embedded, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("shape", "timestep", "message"),
    [
        ((1, 15, 2, 4, 8), (1,), r"expected \[B, 16, F, h, w\]"),
        ((1, 16, 2, 5, 8), (1,), "5x8 is not a multiple of the patch 2x2"),
        ((1, 16, 2, 4, 8), (2,), r"timestep has shape \(2,\), expected \[1\] or \[1, 2\]"),
        ((1, 16, 0, 4, 8), (1,), r"expected \[B, 16, F, h, w\]"),
    ],
)
def test_wrong_shapes_are_named(
    shape: tuple[int, ...], timestep: tuple[int, ...], message: str
) -> None:
    net = tiny.wan()
    scene = net.encode_scene([torch.zeros(1, 10)])
    with pytest.raises(InputError, match=message):
        net.denoise(torch.zeros(shape), torch.zeros(timestep), scene)


@pytest.mark.parametrize("rows", [(0, 10), (7, 10), (3, 9)])
def test_a_prompt_that_does_not_fit_is_refused(rows: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"prompt 0 has shape .* expected \[1..6, 10\]"):
        tiny.wan().encode_scene([torch.zeros(rows)])


def test_a_text_model_refuses_a_picture() -> None:
    with pytest.raises(InputError, match="do not fit image_dim=None"):
        tiny.wan().encode_scene([torch.zeros(1, 10)], torch.zeros(1, 5, 12))


def test_contradicting_architecture_numbers_are_quoted() -> None:
    with pytest.raises(ConfigError, match="dim=32 is not a multiple of heads=3"):
        replace(tiny.wan_config(), heads=3)
    with pytest.raises(ConfigError, match="freq_dim=15 is odd"):
        replace(tiny.wan_config(), freq_dim=15)
    with pytest.raises(ConfigError, match="latent frames are never merged"):
        replace(tiny.wan_config(), patch=(2, 2, 2))
