"""Draws sentences from the templates, those for training apart from those held out."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from models.errors import InputError
from training.studio.speech.foreign_templates import FOREIGN
from training.studio.speech.sentence_templates import SLOTS, TOPICS

Split = Literal["train", "test"]

HELD_OUT_EVERY = 6  # of each topic's templates, the 4th, 10th, ... are for tests only
HELD_OUT_PHASE = 3

UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
DIGITS_SPOKEN = (4, 7)  # fewest and most digits of a spoken code

_SLOT = re.compile(r"\{(\w+)\}")


def number_words(number: int) -> str:
    """Spell a number in English.

    Raises:
        InputError: when it is not within 0..9999.
    """
    if not 0 <= number <= 9999:
        raise InputError(f"only numbers from 0 to 9999 are spelled, got {number}")
    if number < len(UNITS):
        return UNITS[number]
    if number < 100:
        rest = "" if number % 10 == 0 else " " + UNITS[number % 10]
        return TENS[number // 10 - 2] + rest
    unit, size = ("thousand", 1000) if number >= 1000 else ("hundred", 100)
    rest = "" if number % size == 0 else " " + number_words(number % size)
    return f"{number_words(number // size)} {unit}{rest}"


def templates(topic: str, split: Split) -> tuple[str, ...]:
    """List the templates of a topic that may be used in a split.

    Raises:
        InputError: when there is no such topic.
    """
    if topic not in TOPICS:
        raise InputError(f"no topic {topic!r}; the topics are {', '.join(TOPICS)}")
    return _of_split(TOPICS[topic], split)


def foreign_sentences(language: str, split: Split) -> tuple[str, ...]:
    """List the sentences in a language's own words; empty when there are none."""
    return _of_split(FOREIGN.get(language, ""), split)


def draw_sentence(rng: np.random.Generator, topic: str, split: Split) -> str:
    """Draw a template of the topic and fill its slots."""
    return fill(str(rng.choice(templates(topic, split))), rng)


def fill(template: str, rng: np.random.Generator) -> str:
    """Fill a template's slots. The same slot named twice is filled once: a code is repeated right.

    A slot `other_x` never equals the slot `x` beside it, except for numbers.
    """
    chosen: dict[str, str] = {}
    for slot in _SLOT.findall(template):
        if slot not in chosen:
            chosen[slot] = _filling(slot, chosen, rng)
    text = _SLOT.sub(lambda found: chosen[found.group(1)], template)
    return text[0].upper() + text[1:]


def _filling(slot: str, chosen: dict[str, str], rng: np.random.Generator) -> str:
    kind = slot.removeprefix("other_")
    if kind == "number":
        size = int(rng.choice([20, 100, 1000, 10_000], p=[0.5, 0.3, 0.15, 0.05]))
        return number_words(int(rng.integers(2, size)))
    if kind == "digits":
        count = int(rng.integers(DIGITS_SPOKEN[0], DIGITS_SPOKEN[1] + 1))
        return " ".join(UNITS[int(digit)] for digit in rng.integers(0, 10, count))
    choices = [word for word in SLOTS[kind] if word != chosen.get(kind)]
    return str(rng.choice(choices))


def _of_split(text: str, split: Split) -> tuple[str, ...]:
    lines = text.strip().splitlines()
    is_test = split == "test"
    return tuple(
        line
        for index, line in enumerate(lines)
        if (index % HELD_OUT_EVERY == HELD_OUT_PHASE) == is_test
    )
