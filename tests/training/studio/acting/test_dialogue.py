from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.errors import InputError
from tests.training.studio.made_up import made_up_catalogue
from training.studio.acting.dialogue import Dialogue, Kind, Role, write_dialogue
from training.studio.performance_data import SAMPLE_RATE
from training.studio.speech.voices import MissingVoiceError

SECONDS = 10.0
SPOKEN = (Kind.CONVERSATION, Kind.OVERLAPPING, Kind.ONE_LISTENS, Kind.MONOLOGUE)


def dialogue(seed: int, people: int = 2, kind: Kind | None = None) -> Dialogue:
    rng = np.random.default_rng(seed)
    return write_dialogue([Role()] * people, SECONDS, rng, made_up_catalogue(), kind)


@pytest.mark.parametrize("people", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_tracks_and_phones_are_as_long_as_the_clip(people: int, seed: int) -> None:
    written = dialogue(seed, people)
    for person in range(people):
        assert len(written.track(person)) == SECONDS * SAMPLE_RATE
        phones = written.phones(person)
        assert phones[0].start == 0
        assert phones[-1].end == SECONDS


def test_the_same_seed_writes_the_same_dialogue_and_another_seed_another() -> None:
    first, again, other = dialogue(3), dialogue(3), dialogue(4)
    assert [t.speech.text for t in first.turns] == [t.speech.text for t in again.turns]
    assert first.track(0).tobytes() == again.track(0).tobytes()
    assert [t.start for t in first.turns] != [t.start for t in other.turns]


@pytest.mark.parametrize("kind", SPOKEN)
def test_nobody_is_silent_for_more_than_three_seconds_where_people_speak(kind: Kind) -> None:
    for seed in range(8):
        turns = dialogue(seed, 3, kind).turns
        ends = itertools.accumulate((turn.end for turn in turns), max)
        starts = [*(turn.start for turn in turns[1:]), SECONDS]
        assert max(s - e for s, e in zip(starts, ends, strict=True)) < 3.0


def test_nobody_talks_over_themselves() -> None:
    for seed in range(12):
        written = dialogue(seed, 3, Kind.OVERLAPPING)
        for person in range(3):
            own = [turn for turn in written.turns if turn.person == person]
            assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(own))


def test_turns_overlap_more_often_where_they_should() -> None:
    def overlaps(kind: Kind) -> int:
        pairs = [
            pair
            for seed in range(15)
            for pair in itertools.pairwise(
                turn for turn in dialogue(seed, 2, kind).turns if turn.action != "backchannel"
            )
        ]
        return sum(a.end > b.start for a, b in pairs if a.person != b.person)

    assert overlaps(Kind.OVERLAPPING) > 1.5 * overlaps(Kind.CONVERSATION) > 0


def test_in_a_conversation_everybody_speaks_and_in_a_monologue_one() -> None:
    def speakers(kind: Kind, seed: int) -> set[int]:
        said = dialogue(seed, 2, kind).turns
        return {turn.person for turn in said if turn.action != "backchannel"}

    assert any(len(speakers(Kind.CONVERSATION, seed)) == 2 for seed in range(3))
    assert all(len(speakers(Kind.MONOLOGUE, seed)) == 1 for seed in range(6))


@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.SOUNDS])
def test_clips_without_speech_have_silent_phones(kind: Kind) -> None:
    written = dialogue(1, 2, kind)
    assert all(p.symbol == "SIL" for person in (0, 1) for p in written.phones(person))
    assert np.any(written.track(0)) == (kind is Kind.SOUNDS)


def test_a_role_gets_a_voice_of_its_gender_and_two_people_different_voices() -> None:
    rng = np.random.default_rng(0)
    roles = [Role(gender="male"), Role(gender="female")]
    assert write_dialogue(roles, 3.0, rng, made_up_catalogue()).voices == (
        "made up/carl",
        "made up/ann",
    )


def test_a_voice_that_is_absent_is_an_error() -> None:
    with pytest.raises(
        MissingVoiceError, match="made up/bea"
    ):  # held out: not in the train catalogue
        write_dialogue(
            [Role(voice="made up/bea")], 3.0, np.random.default_rng(0), made_up_catalogue()
        )


def test_five_people_are_refused() -> None:
    with pytest.raises(InputError, match="got 5 people"):
        dialogue(0, 5)
