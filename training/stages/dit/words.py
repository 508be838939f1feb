"""The words that prompts are made of, by number: 0 pads, 1 is a word that is not in the table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

UNKNOWN, FIRST_WORD = 1, 2
WORD = re.compile(r"\w+|[^\w\s]")


class WordTable:
    """Turns prompts into word numbers, in the way that a bundle's manifest calls "words"."""

    def __init__(self, words: Sequence[str], length: int) -> None:
        """Take a table of distinct words and the number of places of a prompt."""
        if len(set(words)) != len(words):
            raise InputError("a table of words holds one of them twice")
        self.words, self.length = tuple(words), length
        self._numbers = {word: number for number, word in enumerate(words, FIRST_WORD)}

    @classmethod
    def of(cls, prompts: Iterable[str], most: int, length: int) -> WordTable:
        """Make a table of the most frequent words; ties go by the alphabet."""
        counts = Counter(word for prompt in prompts for word in WORD.findall(prompt.lower()))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ranked[:most], length)

    @classmethod
    def read(cls, path: Path, length: int) -> WordTable:
        """Read a table, a word a line.

        Raises:
            InputError: when the file cannot be read, or holds a word twice.
        """
        try:
            return cls(path.read_text(encoding="utf-8").splitlines(), length)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the table of words {path}: {error}") from error

    def write(self, path: Path) -> None:
        """Write the table, a word a line."""
        path.write_text("".join(f"{word}\n" for word in self.words), encoding="utf-8")

    def encode(self, prompt: str) -> NDArray[np.int64]:
        """Give word numbers [length]; what does not fit is cut, what is left is 0."""
        found = [self._numbers.get(word, UNKNOWN) for word in WORD.findall(prompt.lower())]
        numbers = np.zeros(self.length, np.int64)
        numbers[: len(found)] = found[: self.length]
        return numbers
