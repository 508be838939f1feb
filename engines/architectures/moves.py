"""What is acted, less what the picture shows already.

What is acted says where a head should look and what a face should do, as if every picture showed it
from the front and at rest. Pictures do not: somebody looks aside in his, somebody smiles in hers.

Shape letters: P people, T video frames, E expressions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.architectures.room import Moves

MARKS = 3
Floats = NDArray[np.float32]


def moves_from(still: Floats, turns: Floats, expressions: Floats) -> Moves:
    """Say what is to be done to pictures.

    Args:
        still: [P, 1 + 6 + E], of each cell of the picture the head's yaw in radians, the marks of
            its face, its expressions.
        turns: [P, T, 3] yaw, pitch, roll as acted, from the front.
        expressions: [P, T, E] as acted.
    """
    yaws, rest = still[:, 0], 1 + 2 * MARKS
    marks = still[:, 1:rest].reshape(-1, MARKS, 2).copy()
    shown = still[:, None, rest:].clip(0, 1)
    return Moves(still_to_turn(turns, yaws), expressions - shown, marks)


def still_to_turn(turns: Floats, yaws: Floats) -> Floats:
    """Take from acted turns [P, T, 3] what pictures show already, yaws [P] in them.

    A head that looks aside in its picture stays as it is while it should look that way and no
    further; what should look the other way sets out from where it is.
    """
    left = turns.copy()
    yaw = turns[..., 0]
    left[..., 0] -= np.minimum(np.maximum(yaws[:, None], yaw.clip(None, 0)), yaw.clip(0, None))
    return left
