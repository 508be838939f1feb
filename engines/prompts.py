"""A prompt as token numbers, by the rule that the bundle's manifest gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import ArtifactError, InputError
from engines.manifest import Tokenizer, check_file

MOST_CHARACTERS = 4000
FIRST_WORD = 2  # 0 pads, 1 is a word that the table does not have
UNKNOWN = 1


class PromptTokenizer:
    """Turns text into numbers.

    Raises:
        ArtifactError: when the table of words is missing or damaged.
    """

    def __init__(self, rule: Tokenizer, folder: Path) -> None:
        self._words: dict[str, int] | None = None
        if rule.file is None:
            return
        path = check_file(folder, rule.file)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise ArtifactError(f"{path} is no UTF-8 text") from error
        self._words = {word: number for number, word in enumerate(lines, FIRST_WORD)}

    def encode(self, text: str, length: int) -> NDArray[np.int64]:
        """Give tokens int64 [1, length]; what does not fit is cut, what is left is 0.

        Raises:
            InputError: when the text is longer than anybody's prompt.
        """
        if len(text) > MOST_CHARACTERS:
            raise InputError(f"a prompt has at most {MOST_CHARACTERS} characters, got {len(text)}")
        if self._words is None:
            numbers = [byte + 1 for byte in text.encode("utf-8", "replace")]
        else:
            words = re.findall(r"\w+|[^\w\s]", text.lower())
            numbers = [self._words.get(word, UNKNOWN) for word in words]
        tokens = np.zeros((1, length), np.int64)
        cut = numbers[:length]
        tokens[0, : len(cut)] = cut
        return tokens
