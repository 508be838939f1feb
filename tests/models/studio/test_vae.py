from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.errors import ConfigError, InputError
from models.studio.vae import StudioVAE
from models.studio.vae_blocks import fold_channels, repeat_channels
from models.studio.vae_config import Widths, studio_vae
from models.studio.warp import sampled as warp
from tests.models.studio.sizes import tiny_vae


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def vae() -> StudioVAE:
    """Every weight random, zeros included, so that nothing hides behind a zero."""
    generator = torch.Generator().manual_seed(1)
    network = StudioVAE(tiny_vae()).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            fan = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan**0.5)
    return network.requires_grad_(False)


def test_decoding_chunk_by_chunk_equals_decoding_whole(vae: StudioVAE) -> None:
    latents, reference = noise(2, 4, 5, 2, 3), vae.look(noise(2, 3, 32, 48))
    whole = vae.decode(latents, reference).video
    state, pieces = None, []
    for first, last in ((0, 1), (1, 3), (3, 5)):
        decoded = vae.decode(latents[:, :, first:last], reference, state)
        state = decoded.state
        pieces.append(decoded.video)
    torch.testing.assert_close(torch.cat(pieces, dim=2), whole, atol=1e-4, rtol=0)


def test_a_latent_frame_changes_its_own_video_and_the_next_ones_but_no_earlier_one(
    vae: StudioVAE,
) -> None:
    latents, reference = noise(1, 4, 5, 2, 2), vae.look(noise(1, 3, 32, 32))
    changed = latents.clone()
    changed[:, :, 2] += 1
    difference = (
        (vae.decode(latents, reference).video - vae.decode(changed, reference).video)
        .abs()
        .amax((0, 1, 3, 4))
    )
    assert (difference[:8] == 0).all()
    assert (difference[8:12] > 1e-3).all(), "its own four video frames"
    assert (difference[12:16] > 1e-4).any(), "what comes next remembers it"


def test_a_latent_frame_is_encoded_on_its_own(vae: StudioVAE) -> None:
    video = noise(1, 3, 12, 32, 32)
    apart = torch.cat([vae.encode(video[:, :, i : i + 4]) for i in (0, 4, 8)], dim=2)
    torch.testing.assert_close(vae.encode(video), apart, atol=1e-5, rtol=0)


def test_every_frame_of_four_reaches_the_latent_and_the_video(vae: StudioVAE) -> None:
    video = noise(1, 3, 4, 32, 32)
    for frame in range(4):
        changed = video.clone()
        changed[:, :, frame] += 0.5
        assert (vae.encode(changed) - vae.encode(video)).abs().max() > 1e-3
    frames = vae.decode(noise(1, 4, 1, 2, 2), vae.look(noise(1, 3, 32, 32))).video[0]
    assert (frames[:, 1:] - frames[:, :-1]).abs().amax((0, 2, 3)).min() > 1e-3


def test_latents_have_unit_power_at_every_place(vae: StudioVAE) -> None:
    power = vae.encode_raw(noise(2, 3, 8, 32, 32)).square().mean(1)
    torch.testing.assert_close(power, torch.ones_like(power), atol=1e-3, rtol=0)


def test_scaling_latents_is_undone_by_the_decoder(vae: StudioVAE) -> None:
    video, reference = noise(1, 3, 4, 32, 32), vae.look(noise(1, 3, 32, 32))
    plain = vae.decode(vae.encode(video), reference).video
    vae.mean.copy_(torch.tensor([0.5, -1.0, 0.0, 2.0]))
    vae.std.copy_(torch.tensor([0.5, 2.0, 1.0, 3.0]))
    torch.testing.assert_close(
        vae.decode(vae.encode(video), reference).video, plain, atol=1e-4, rtol=0
    )


def test_a_picture_is_four_equal_frames(vae: StudioVAE) -> None:
    picture = noise(1, 3, 32, 32)
    still = vae.encode(picture[:, :, None].repeat(1, 1, 4, 1, 1))
    torch.testing.assert_close(vae.encode_picture(picture), still)


def test_the_reference_picture_shows_in_the_video(vae: StudioVAE) -> None:
    latents = noise(1, 4, 1, 2, 2)
    one, other = (vae.look(noise(1, 3, 32, 32, seed=s)) for s in (1, 2))
    assert (vae.decode(latents, one).video - vae.decode(latents, other).video).abs().max() > 0.1


def test_warping_fetches_from_where_the_flow_points() -> None:
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 5, 2] = 1
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0], flow[:, 1] = -3, 1  # from three to the left and one below
    moved = warp(x, flow)
    assert moved[0, 0, 4, 5] == pytest.approx(1, abs=1e-5)
    assert moved.sum() == pytest.approx(1, abs=1e-4)


def test_an_untrained_autoencoder_starts_without_warping() -> None:
    network = StudioVAE(tiny_vae())
    assert not network.decoder.flow.weight.any()


def test_shortcuts_keep_variance_and_reach_every_channel() -> None:
    x = noise(64, 12, 4, 4)
    assert fold_channels(x, 4).std().item() == pytest.approx(1, abs=0.1)
    assert repeat_channels(noise(1, 3, 1, 1), 8).shape[1] == 8
    assert fold_channels(noise(1, 3, 1, 1), 8).abs().amax((0, 2, 3)).min() > 0


@pytest.mark.parametrize("shape", [(1, 3, 6, 32, 32), (1, 3, 4, 40, 32), (1, 1, 4, 32, 32)])
def test_video_of_another_shape_is_refused(vae: StudioVAE, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"multiples of 16|latent frames of 4"):
        vae.encode(torch.zeros(*shape))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="latent_channels"):
        replace(studio_vae(), encoder=Widths(quarter=8, eighth=8, sixteenth=250))
    with pytest.raises(ConfigError, match="max_flow_px"):
        replace(studio_vae(), max_flow_px=0.0)
