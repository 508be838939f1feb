from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from tests.training.metrics.talking_tracks import (
    Flags,
    Floats,
    heard,
    observation,
    syllables,
    tracks,
    turns,
)
from training.metrics.quality import Quality, judge
from training.metrics.report import report, tables

FRAMES = 600


def judged(opening: Floats, expected: Floats, speaking: Flags, source: str = "files") -> Quality:
    return judge(
        observation(opening), tracks(opening), heard(expected, speaking), None, (source, False)
    )


def perfect(people: int) -> tuple[Floats, Flags]:
    speaking = turns(FRAMES, people)
    return syllables(FRAMES, speaking), speaking


@pytest.mark.parametrize("people", [1, 2, 3])
def test_a_true_render_scores_perfect(people: int) -> None:
    mouths, speaking = perfect(people)
    found = judged(mouths, mouths, speaking)
    for person in found.people:
        assert person.detected == 1
        assert person.sync.r == pytest.approx(1)
        assert person.sync.lag_frames == 0
        assert person.identity is not None
        assert person.identity.worst == 0
    assert found.binding.accuracy == 1


def test_sound_shifted_by_three_frames_is_found_for_everybody() -> None:
    mouths, speaking = perfect(2)
    found = judged(mouths, np.roll(mouths, 3, axis=0), speaking)
    assert [person.sync.lag_frames for person in found.people] == [3, 3]


def test_swapped_voices_are_seen_in_every_score() -> None:
    mouths, speaking = perfect(2)
    found = judged(mouths, mouths[:, ::-1], speaking[:, ::-1])
    assert found.binding.accuracy == 0
    assert all(person.sync.r is not None and person.sync.r < 0.5 for person in found.people)
    off_diagonal = (found.sync_matrix[0][1], found.sync_matrix[1][0])
    assert off_diagonal == pytest.approx((1, 1))
    for person in found.people:
        assert person.mouth_motion.silence is not None
        assert person.mouth_motion.speech is not None
        assert person.mouth_motion.silence > person.mouth_motion.speech


def test_a_still_picture_scores_as_still() -> None:
    mouths, speaking = perfect(2)
    found = judged(np.zeros_like(mouths), mouths, speaking)
    assert [person.sync.r for person in found.people] == [None, None]
    assert [person.mouth_motion for person in found.people] == [(0, 0), (0, 0)]
    assert found.binding.accuracy == 0


def test_a_reference_of_somebody_else_is_far_away() -> None:
    mouths, speaking = perfect(2)
    other = np.zeros(128)
    other[1] = 1.0
    found = judge(
        observation(mouths), tracks(mouths), heard(mouths, speaking), [other] * 2, ("f", False)
    )
    assert found.people[0].identity is not None
    assert found.people[0].identity.reference == "picture"
    assert found.people[0].identity.mean == pytest.approx(1)


@pytest.mark.parametrize("missing", [0, 40, FRAMES - 10])
def test_silence_and_lost_faces_give_a_report_without_nan(missing: int) -> None:
    mouths, _ = perfect(2)
    mouths[:missing, 0] = np.nan
    silence = np.zeros((FRAMES, 2), bool)
    found = judged(mouths, np.zeros((FRAMES, 2)), silence, source="none")
    text = json.dumps(report(found), allow_nan=False)
    assert json.loads(text)["people"][0]["detected"] == pytest.approx(
        1 - missing / FRAMES, abs=1e-4
    )


def test_the_report_has_the_promised_keys() -> None:
    mouths, speaking = perfect(2)
    found = report(judged(mouths, mouths, speaking))
    assert {"people", "binding", "drift", "interactivity"} <= found.keys()
    assert isinstance(found["people"], list)
    person = found["people"][0]
    assert isinstance(person, dict)
    assert {"detected", "sync", "mouth_motion", "identity"} <= person.keys()
    assert person["sync"] == {"r": 1.0, "lag_frames": 0}
    assert isinstance(person["mouth_motion"], dict)
    assert person["mouth_motion"].keys() == {"speech", "silence"}
    assert isinstance(found["binding"], dict)
    assert found["binding"].keys() == {"windows", "accuracy", "confusion"}


def test_a_number_that_is_none_is_null_in_the_report() -> None:
    mouths, speaking = perfect(1)
    found = replace(judged(mouths, mouths, speaking), flicker=float("nan"))
    assert report(found)["flicker"] is None


def test_mixed_sound_is_said_to_be_mixed_and_binds_nobody() -> None:
    mouths, speaking = perfect(2)
    both = np.repeat(speaking.any(1, keepdims=True), 2, axis=1)
    found = judge(
        observation(mouths), tracks(mouths), heard(mouths, both), None, ("one mixed track", True)
    )
    assert found.is_mixed
    assert found.binding.windows == 0
    assert report(found)["audio"] == {"source": "one mixed track", "mixed": True}


def test_the_table_names_every_person_and_the_confusion() -> None:
    mouths, speaking = perfect(3)
    console = Console(width=120)
    with console.capture() as captured:
        console.print(tables(judged(mouths, mouths, speaking)))
    assert "mouth 2" in captured.get()
    assert "100.0 %" in captured.get()
