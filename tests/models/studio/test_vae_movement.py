"""What the decoder is told of faces: shown where they are, when it happens, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.errors import ConfigError
from models.studio.config import MOUTH_CURVES
from models.studio.motion import MOTION_CHANNELS, Motion
from models.studio.vae import StudioVAE
from models.studio.vae_movement import Told
from tests.models.studio.sizes import tiny_vae

FRAMES, HIGH, WIDE = 3, 2, 16  # latent frames, rows and columns
LEFT_LID, JAW, YAW = 0, 17, MOUTH_CURVES


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def moving() -> StudioVAE:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return StudioVAE(replace(tiny_vae(), movement_dim=8)).eval()


@pytest.fixture
def vae() -> StudioVAE:
    """Every weight random, so that nothing hides behind a zero."""
    generator = torch.Generator().manual_seed(1)
    network = moving()
    with torch.no_grad():
        for parameter in network.parameters():
            fan = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan**0.5)
    return network.requires_grad_(False)


def told(*, known: tuple[float, float, float] = (1, 1, 1)) -> Told:
    """Tell of two people, one in each half of the picture."""
    values = noise(1, 2, 4 * FRAMES, MOTION_CHANNELS, seed=3).abs() * 0.3
    people = torch.zeros(1, 2, HIGH, WIDE)
    people[:, 0, :, : WIDE // 2], people[:, 1, :, WIDE // 2 :] = 1, 1
    groups = torch.tensor(known).expand(1, 2, 4 * FRAMES, 3)
    return Told(Motion(values, groups), people)


def shown(vae: StudioVAE, now: Told | None) -> Tensor:
    latents = noise(1, 4, FRAMES, HIGH, WIDE)
    return vae.decode(latents, vae.look(noise(1, 3, 16 * HIGH, 16 * WIDE)), told=now).video


def changed(now: Told, person: int, frame: int, channel: int) -> Told:
    values = now.motion.values.clone()
    values[:, person, frame, channel] += 0.5
    return now._replace(motion=now.motion._replace(values=values))


def test_an_untrained_movement_changes_nothing() -> None:
    vae = moving()
    torch.testing.assert_close(shown(vae, told()), shown(vae, None), atol=1e-6, rtol=0)


def test_a_decoder_that_is_never_told_has_nothing_to_be_told_by() -> None:
    assert not any("movement" in name for name, _ in StudioVAE(tiny_vae()).named_parameters())


def test_what_a_person_does_shows_where_that_person_is_and_not_before(vae: StudioVAE) -> None:
    now = told()
    difference = (shown(vae, changed(now, 1, 5, LEFT_LID)) - shown(vae, now)).abs().amax((0, 1, 3))
    assert difference[:4].max() == 0, "an earlier latent frame does not know"
    assert difference[5, 16 * WIDE // 2 :].max() > 1e-3, "the frame, in this one's half"
    assert difference[4, :32].max() < 1e-6, "the far side is the other one's"
    assert difference[5, :32].max() < 1e-6


def test_chunk_by_chunk_equals_whole(vae: StudioVAE) -> None:
    now, latents = told(), noise(1, 4, FRAMES, HIGH, WIDE)
    looked, state, pieces = vae.look(noise(1, 3, 16 * HIGH, 16 * WIDE)), None, []
    for frame in range(FRAMES):
        span = slice(frame, frame + 1)
        decoded = vae.decode(latents[:, :, span], looked, state, told=now.of_latents(span))
        state = decoded.state
        pieces.append(decoded.video)
    whole = shown(vae, now)
    least = 1e-3 * float(whole.abs().max())  # random weights make large pictures
    torch.testing.assert_close(torch.cat(pieces, dim=2), whole, atol=least, rtol=0)


def test_heads_are_left_to_the_latents(vae: StudioVAE) -> None:
    now = told()
    torch.testing.assert_close(shown(vae, changed(now, 0, 5, YAW)), shown(vae, now))


@pytest.mark.parametrize(
    ("known", "channel"), [((0, 1, 1), JAW), ((1, 0, 1), LEFT_LID)], ids=["speech", "expression"]
)
def test_what_is_not_known_does_not_show(
    vae: StudioVAE, known: tuple[float, float, float], channel: int
) -> None:
    now = told(known=known)
    torch.testing.assert_close(shown(vae, changed(now, 0, 5, channel)), shown(vae, now))


def test_nobody_is_told_of_nothing(vae: StudioVAE) -> None:
    nobody = told()._replace(people=torch.zeros(1, 2, HIGH, WIDE))
    torch.testing.assert_close(shown(vae, nobody), shown(vae, None), atol=1e-6, rtol=0)


def test_one_person_everywhere_needs_no_map(vae: StudioVAE) -> None:
    now = told()
    alone = now._replace(motion=Motion(*(part[:, :1] for part in now.motion)))
    mapped = alone._replace(people=torch.ones(1, 1, HIGH, WIDE))
    unmapped = alone._replace(people=torch.ones(1, 1, 1, 1))
    made = shown(vae, mapped)
    least = 1e-5 * float(made.abs().max())
    torch.testing.assert_close(shown(vae, unmapped), made, atol=least, rtol=0)


def test_a_width_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="movement_dim=-1"):
        replace(tiny_vae(), movement_dim=-1)
