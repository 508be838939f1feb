from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from training.studio.acting.acts import draw_acts, states, stretches
from training.studio.performance_data import Act
from training.studio.shards.prompts import WORDINGS, describe
from training.studio.speech.foreign_templates import FOREIGN
from training.studio.speech.sentence_templates import SLOTS, TOPICS
from training.studio.speech.sentences import (
    draw_sentence,
    fill,
    foreign_sentences,
    number_words,
    templates,
)

WOMAN = {"gender": "woman", "age": "young", "hair": "long black hair", "clothes": "red jacket"}
MAN = {"gender": "man"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (19, "nineteen"),
        (40, "forty"),
        (88, "eighty eight"),
        (305, "three hundred five"),
        (9999, "nine thousand nine hundred ninety nine"),
    ],
)
def test_numbers_are_spelled(number: int, words: str) -> None:
    assert number_words(number) == words


def test_numbers_that_cannot_be_spelled_are_refused() -> None:
    with pytest.raises(InputError, match="10000"):
        number_words(10_000)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_no_template_is_both_for_training_and_for_tests(topic: str) -> None:
    train, test = set(templates(topic, "train")), set(templates(topic, "test"))
    assert train
    assert test
    assert not train & test


@pytest.mark.parametrize("language", sorted(FOREIGN))
def test_foreign_sentences_are_split_too(language: str) -> None:
    train, test = (set(foreign_sentences(language, split)) for split in ("train", "test"))
    assert train
    assert test
    assert not train & test


def test_no_slot_is_left_open_and_no_digit_is_written() -> None:
    rng = np.random.default_rng(0)
    for topic in TOPICS:
        for _ in range(60):
            text = draw_sentence(rng, topic, "train")
            assert not set("{}0123456789") & set(text)
            assert text[0] == text[0].upper()


def test_the_other_of_two_is_another_and_a_repeated_code_is_the_same() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        day, other = fill("{day} {other_day}", rng).split()
        assert day != other
        first, second = fill("{digits}, {digits}", rng).lower().split(", ")
        assert first == second
    assert all(len(words) == len(set(words)) for words in SLOTS.values())


def test_prompts_name_people_acts_and_scene() -> None:
    acts = [Act(start_frame=0, end_frame=100, name="angry", strength=0.7)]
    for seed in range(20):
        prompt = describe([WOMAN], [acts], 100, "a bookshelf", np.random.default_rng(seed))
        assert "woman" in prompt.text
        assert "a bookshelf" in prompt.text
        assert any(w.format("") in prompt.text for w in WORDINGS["angry"])
        assert len(prompt.segments) == 1


def test_prompts_are_worded_in_many_ways() -> None:
    acts = [Act(start_frame=0, end_frame=100, name="sad", strength=1.0)]
    texts = {describe([MAN], [acts], 100, "", np.random.default_rng(s)).text for s in range(40)}
    assert len(texts) > 15


def test_a_change_in_mid_clip_begins_a_segment_that_names_it() -> None:
    acts = [
        Act(start_frame=0, end_frame=60, name="sad", strength=0.7),
        Act(start_frame=60, end_frame=150, name="nodding", strength=0.7),
    ]
    prompt = describe([MAN, WOMAN], [acts, []], 150, "", np.random.default_rng(0))
    assert [(s.start_frame, s.end_frame) for s in prompt.segments] == [(0, 60), (60, 150)]
    assert "nod" not in prompt.segments[0].text
    assert "nod" in prompt.segments[1].text
    assert "nod" in prompt.text


def test_people_are_placed_from_left_to_right() -> None:
    text = describe([WOMAN, MAN], [[], []], 50, "", np.random.default_rng(2)).text
    assert text.index("woman") < text.index(" man")
    assert "left" in text
    assert "right" in text


def test_a_crowd_is_refused() -> None:
    with pytest.raises(InputError, match="got 5"):
        describe([MAN] * 5, [[]] * 5, 50, "", np.random.default_rng(0))


def test_drawn_acts_lie_within_the_clip_and_change_in_some_of_them() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_acts(100, 2, rng) for _ in range(200)]
    every = [act for acts in drawn for act in acts]
    assert all(0 <= a.start_frame < a.end_frame <= 100 and 0 < a.strength <= 1 for a in every)
    assert {act.name for act in every} == set(WORDINGS) - {"talking", "listening"}
    assert sum(any(a.start_frame > 0 for a in acts) for acts in drawn) > 60


def test_long_stretches_of_talking_and_listening_are_named() -> None:
    speaking = np.zeros((2, 100), np.bool_)
    speaking[0, 10:60] = True
    assert [(a.name, a.start_frame, a.end_frame) for a in states(0, speaking)] == [
        ("talking", 10, 60)
    ]
    assert [(a.name, a.start_frame, a.end_frame) for a in states(1, speaking)] == [
        ("listening", 10, 60)
    ]
    assert stretches(speaking[0]) == [(10, 60)]
