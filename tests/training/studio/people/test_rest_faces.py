"""What makes faces at rest look friendly and heads of hair look usual."""

from __future__ import annotations

import numpy as np
import pytest

from training.studio.assets import asset_folder
from training.studio.people import palette, regions
from training.studio.people.identity import sample_identity
from training.studio.people.library import Library
from training.studio.people.parts import PartBuilder
from training.studio.people.shape import rest_body

INNER_BROW, MOUTH_CORNER = 6983, 7272  # base vertices


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(asset_folder())


def test_few_people_have_dyed_hair() -> None:
    dyed = {palette.HAIR[index].name for index in palette.DYED_HAIR}
    share = np.mean([sample_identity(seed).hair_color_name in dyed for seed in range(1000)])
    assert 0.005 < share < 0.08


@pytest.mark.studio
def test_at_rest_brows_stand_high_and_mouth_corners_do_not_hang(library: Library) -> None:
    brows, corners = [], []
    for seed in range(12):
        body = rest_body(sample_identity(seed), library)
        brows.append(body[INNER_BROW, 1] - body[regions.EYE_VERTICES[0], 1].mean())
        lips = body[[regions.UPPER_LIP, regions.LOWER_LIP], 1].mean()
        corners.append(body[MOUTH_CORNER, 1] - lips)
    assert np.median(brows) > 0.014
    assert np.median(corners) > 0.0
    assert min(corners) > -0.004


@pytest.mark.studio
def test_a_beard_thins_out_before_the_ears_of_a_bald_head(library: Library) -> None:
    x, y, _ = np.abs(library.base.vertices[: regions.BODY_VERTICES]).T
    beside_ears = (x > 0.06) & (y > 0.70) & (y < 0.72)
    hairy = regions.beard(library, "full_beard")
    bald = regions.beard(library, "full_beard", has_sideburns=False)
    assert hairy[beside_ears].max() > 0.3
    assert bald[beside_ears].max() < 0.1


@pytest.mark.studio
@pytest.mark.parametrize("seed", range(3))
def test_an_open_mouth_shows_upper_teeth_before_lower_ones(library: Library, seed: int) -> None:
    builder = PartBuilder(sample_identity(seed), library, 0.6)
    teeth, _ = builder.proxy("teeth", "Teeth_Base", moves=True, is_rigid=True)
    tongue = builder.tongue()
    line = builder.body[[regions.UPPER_LIP, regions.LOWER_LIP], 1].mean()
    assert teeth.deltas is not None
    moves = np.linalg.norm(teeth.deltas, axis=2).max(0) > 0.002
    upper, lower = teeth.vertices[~moves], teeth.vertices[moves]
    fronts = [row[row[:, 2] > row[:, 2].max() - 0.004, 1] for row in (upper, lower)]
    assert 0.001 < line - fronts[0].min() < 0.003
    assert line - fronts[1].max() > 0.004
    assert tongue.vertices[:, 2].max() < teeth.vertices[:, 2].max()
    assert teeth.extras is not None
    assert teeth.extras[:, 2].min() < 0.1, "back teeth lie in the dark"
