from __future__ import annotations

import pytest
import torch

from models.studio.vae import StudioVAE
from models.studio.vae_config import StudioVAEConfig, Widths
from training.stages.dit.seen_mouths import FRAMES, SIDE, SeenMouths
from training.stages.dit.windows import Window
from training.stages.vae.lip_reader import LipReader

SIZE, LATENT_FRAMES = 8, 4
MOUTHS = torch.zeros(2, dtype=torch.bool)


@pytest.fixture(scope="module")
def seen() -> SeenMouths:
    narrow = Widths(quarter=8, eighth=8, sixteenth=16)
    config = StudioVAEConfig(
        latent_channels=8,
        encoder=narrow,
        decoder=narrow,
        deep_blocks=1,
        frame_blocks=1,
        fine_blocks=1,
        max_flow_px=4.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SeenMouths(StudioVAE(config).eval(), LipReader().eval(), reading=0.3)


def window_with_mouth_at(across: float, down: float) -> Window:
    generator = torch.Generator().manual_seed(1)
    nothing = torch.zeros(2, 1)
    mouth = torch.tensor([across, down]).expand(2, 1, LATENT_FRAMES * 4, 2)
    eyes = mouth - torch.tensor([0.0, 32.0])
    return Window(
        latents=torch.randn(2, 8, LATENT_FRAMES, SIZE, SIZE, generator=generator),
        reference=nothing,
        picture=torch.rand(2, 3, SIZE * 16, SIZE * 16, generator=generator) * 2 - 1,
        people=torch.ones(2, 1, SIZE, SIZE),
        faces=nothing,
        features=nothing,
        motion=torch.zeros(2, 1, LATENT_FRAMES * 4, 56),
        known=torch.ones(2, 1, LATENT_FRAMES * 4, 3),
        words=nothing,
        weight=nothing,
        mouths=mouth,
        eyes=eyes,
        gap=nothing,
        face_widths=torch.full((2, 1), 60.0),
    )


def test_true_latents_show_true_mouths(seen: SeenMouths) -> None:
    window = window_with_mouth_at(64.0, 64.0)
    losses = seen(window.latents, window, 1, torch.tensor([False, True]))
    assert all(float(value) == pytest.approx(0, abs=1e-6) for value in losses.values())


@pytest.mark.parametrize(("across", "down"), [(64.0, 64.0), (3.0, 127.0), (200.0, -40.0)])
def test_only_latents_around_the_mouth_are_moved_also_at_the_picture_s_edge(
    seen: SeenMouths, across: float, down: float
) -> None:
    window = window_with_mouth_at(across, down)
    made = (window.latents + 0.3).requires_grad_()
    losses = seen(made, window, 1, MOUTHS)
    assert torch.allclose(losses["seen"], losses["places"] + 0.3 * losses["reading"])
    torch.autograd.backward(losses["seen"])
    assert made.grad is not None
    touched = made.grad.abs().sum((0, 1)) > 0
    assert touched[1 : 1 + FRAMES].any()
    assert not touched[:1].any()
    assert not touched[1 + FRAMES :].any()
    rows, columns = (touched.any(0).any(1 - axis).nonzero().flatten() for axis in (0, 1))
    assert len(rows) <= SIDE
    assert len(columns) <= SIDE
    place = [min(max(at / 16, 0), SIZE) for at in (down, across)]
    assert rows.min() <= place[0] <= rows.max() + 1
    assert columns.min() <= place[1] <= columns.max() + 1


def test_eyes_are_compared_in_their_own_place_and_not_read(seen: SeenMouths) -> None:
    window = window_with_mouth_at(64.0, 120.0)
    window = window._replace(eyes=torch.full_like(window.eyes, 20.0))
    made = (window.latents + 0.3).requires_grad_()
    losses = seen(made, window, 1, ~MOUTHS)
    assert float(losses["reading"]) == 0
    torch.autograd.backward(losses["seen"])
    assert made.grad is not None
    rows = (made.grad.abs().sum((0, 1, 2, 4)) > 0).nonzero().flatten()
    assert rows.max() < SIZE // 2, "only the upper half, where the eyes are, is touched"


def test_neither_decoder_nor_reader_learns(seen: SeenMouths) -> None:
    assert not any(parameter.requires_grad for parameter in seen.parameters())
