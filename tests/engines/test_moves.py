from __future__ import annotations

import numpy as np
import pytest

from engines.architectures.face_bend import EXPRESSIONS
from engines.architectures.moves import moves_from, still_to_turn


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
    turns = np.zeros((2, 4, 3), np.float32)
    turns[1] = (acted, 0.1, -0.1)
    made = still_to_turn(turns, np.array([0.0, facing], np.float32))
    assert np.allclose(made[1], (left, 0.1, -0.1), atol=1e-6)
    assert not made[0].any()
    assert np.allclose(turns[1, :, 0], acted), "what was acted stays as it is"


def test_who_smiles_already_smiles_no_more_and_stops_when_it_should() -> None:
    still = np.zeros((2, 7 + len(EXPRESSIONS)), np.float32)
    smile = EXPRESSIONS.index("mouthSmileLeft")
    still[0, 7 + smile] = 0.6
    still[1, 7 + smile] = -0.3  # a reader's error: no curve is below 0
    still[:, 1:7] = (0.3, 0.4, 0.6, 0.4, 0.5, 0.7)
    acted = np.zeros((2, 4, len(EXPRESSIONS)), np.float32)
    acted[:, 2:, smile] = 0.6
    made = moves_from(still, np.zeros((2, 4, 3), np.float32), acted)
    assert np.allclose(made.expressions[0, :, smile], (-0.6, -0.6, 0, 0))
    assert np.allclose(made.expressions[1, :, smile], (0, 0, 0.6, 0.6))
    assert np.allclose(made.marks[1], [(0.3, 0.4), (0.6, 0.4), (0.5, 0.7)])
