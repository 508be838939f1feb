from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.metrics.talking_tracks import FPS, syllables, turns
from training.metrics.binding import binding, movers

FRAMES = 600


@pytest.mark.parametrize("people", [2, 3])
def test_people_who_move_when_they_speak_are_bound_right(people: int) -> None:
    speaking = turns(FRAMES, people)
    found = binding(movers(syllables(FRAMES, speaking), speaking, FPS), people)
    assert found.windows > 20
    assert found.accuracy == 1
    assert [row[seat] for seat, row in enumerate(found.confusion)] == [
        sum(row) for row in found.confusion
    ]


def test_swapped_voices_swap_the_confusion_matrix() -> None:
    speaking = turns(FRAMES, 2, turn_frames=130)
    mouths = syllables(FRAMES, speaking)
    right = binding(movers(mouths, speaking, FPS), 2)
    wrong = binding(movers(mouths, speaking[:, ::-1], FPS), 2)
    assert wrong.confusion == right.confusion[::-1]
    assert wrong.accuracy == 0


def test_still_mouths_are_nobody() -> None:
    speaking = turns(FRAMES, 2)
    found = binding(movers(np.full((FRAMES, 2), 0.01), speaking, FPS), 2)
    assert found.accuracy == 0
    assert sum(row[2] for row in found.confusion) == found.windows > 0


def test_windows_with_two_voices_or_none_are_left_out() -> None:
    both, nobody = np.ones((FRAMES, 2), bool), np.zeros((FRAMES, 2), bool)
    mouths = syllables(FRAMES, both)
    assert movers(mouths, both, FPS) == []
    assert binding(movers(mouths, nobody, FPS), 2) == (0, None, [[0, 0, 0], [0, 0, 0]])


def test_a_face_that_is_not_seen_moves_nothing() -> None:
    speaking = turns(FRAMES, 2, turn_frames=FRAMES)
    mouths = syllables(FRAMES, np.ones((FRAMES, 2), bool))
    mouths[:, 0] = np.nan
    found = binding(movers(mouths, speaking, FPS), 2)
    assert found.confusion[0] == [0, found.windows, 0]


def test_a_voice_too_many_is_refused() -> None:
    with pytest.raises(InputError, match="a voice for each person"):
        movers(np.zeros((FRAMES, 2)), np.zeros((FRAMES, 3), bool), FPS)
