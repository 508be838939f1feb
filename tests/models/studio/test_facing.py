from __future__ import annotations

import pytest
import torch

from models.studio.facing import FacingReader, still_to_turn


@pytest.fixture
def reader() -> FacingReader:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return FacingReader().eval()


@pytest.mark.parametrize("side", [32, 160])
def test_a_mirrored_head_looks_as_far_the_other_way(reader: FacingReader, side: int) -> None:
    cells = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        one, other = reader(cells), reader(cells.flip(-1))
    assert one.shape == (3,)
    assert one.abs().min() > 1e-4
    torch.testing.assert_close(other, -one)


@pytest.mark.parametrize(
    ("acted", "facing", "left"),
    [
        (0.2, 0.0, 0.2),  # from the front all of it
        (0.2, 0.15, 0.05),  # he looks that way already, not as far
        (0.2, 0.5, 0.0),  # farther: he stays
        (-0.2, 0.5, -0.2),  # to the other side, from where he is
        (0.2, -0.5, 0.2),
        (-0.2, -0.15, -0.05),
        (0.0, 0.5, 0.0),
    ],
)
def test_what_a_picture_shows_is_not_turned_again(acted: float, facing: float, left: float) -> None:
    turns = torch.zeros(2, 4, 3)
    turns[1] = torch.tensor([acted, 0.1, -0.1])
    made = still_to_turn(turns, torch.tensor([0.0, facing]))
    torch.testing.assert_close(made[1], torch.tensor([left, 0.1, -0.1]).expand(4, 3))
    assert not made[0].any()
