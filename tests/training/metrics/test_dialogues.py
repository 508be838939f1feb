from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from training.metrics import dialogues
from training.metrics.dialogues import (
    Dialogue,
    Person,
    Shown,
    calmest,
    judge_dialogues,
    summary,
)


def person(r: float | None, lag: float | None, same: float | None = 1.0) -> Person:
    return Person(r, lag, None, None, same, 2.0)


def test_the_picture_is_taken_where_everybodys_mouth_is_shut() -> None:
    wide = np.array([0.0, 8.0, 8.0, 1.0, 8.0])
    small = np.array([2.0, 0.0, 2.0, 0.2, 2.0])
    awake = np.zeros((2, 5))
    assert calmest([wide, small], awake) == 3
    blinking = awake.copy()
    blinking[1, 3] = 0.9
    assert calmest([wide, small], blinking) == 0, "and where nobody blinks"
    assert calmest([wide, small], np.ones((2, 5))) == 3, "unless somebody sleeps"


def test_a_summary_leaves_out_what_nobody_could_measure() -> None:
    films = [
        Shown((person(0.9, 0), person(None, None)), 9, 10, 0.5, None),
        Shown((person(0.5, 2), person(float("nan"), 1, 0.5)), 1, 10, None, 0.2),
    ]
    found = summary(films)
    assert found.lip_r == pytest.approx(0.7)
    assert found.lag_within_one == pytest.approx(2 / 3)
    assert found.binding == pytest.approx(0.5)
    assert found.same_person == pytest.approx(3.5 / 4)
    assert (found.interactivity, found.published) == (0.5, 0.2)
    assert found.bilabials is None
    assert summary([Shown((person(None, None, None),), 0, 0, None, None)]).binding is None


def test_clips_that_cannot_be_judged_are_named_and_others_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown((person(0.9, 0),), 1, 1, None, None)

    def judged(name: str, *_: object) -> Dialogue:
        if name.endswith("1"):
            raise InputError("3 faces of 4")
        return Dialogue(name, shown, shown)

    clips = [(tmp_path / "shard.tar", str(number)) for number in range(4)]
    monkeypatch.setattr(dialogues, "_clips", lambda shards: clips[len(shards) :])
    monkeypatch.setattr(dialogues, "unpack_clip", lambda *_: None)
    monkeypatch.setattr(dialogues, "_judged", judged)
    told: list[str] = []
    found = judge_dialogues([], tmp_path, 3, tmp_path, [], told.append)
    assert [each.name for each in found] == ["shard-0", "shard-2", "shard-3"]
    assert told == ["shard-0", "shard-1 is left out: 3 faces of 4", "shard-2", "shard-3"]
    clips[:] = clips[1:2]
    with pytest.raises(InputError, match="no clips were judged"):
        judge_dialogues([], tmp_path, 3, tmp_path, [], told.append)
