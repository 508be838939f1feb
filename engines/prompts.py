"""A prompt as token numbers, by the rule that the bundle's manifest gives."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from engines.errors import ArtifactError, InputError
from engines.manifest import Tokenizer, check_file

MOST_CHARACTERS = 4000
FIRST_WORD = 2  # 0 pads, 1 is a word that the table does not have
UNKNOWN = 1
PADDING = 0

Numbers = Callable[[str, int], list[int]]
"""(text, most tokens) -> its numbers, none of them `PADDING`; more than fit are cut by `encode`."""


class PromptTokenizer:
    """Turns text into numbers.

    Raises:
        ArtifactError: when the tokenizer's file is missing or damaged.
    """

    def __init__(self, rule: Tokenizer, folder: Path) -> None:
        path = None if rule.file is None else check_file(folder, rule.file)
        self._numbers: Numbers
        if path is None:
            self._numbers = _byte_numbers
        elif rule.kind == "words":
            self._numbers = _word_numbers(path)
        else:
            self._numbers = _piece_numbers(path)

    def encode(self, text: str, length: int) -> NDArray[np.int64]:
        """Give tokens int64 [1, length]; what does not fit is cut, what is left is 0.

        Raises:
            InputError: when the text is longer than anybody's prompt.
        """
        if len(text) > MOST_CHARACTERS:
            raise InputError(f"a prompt has at most {MOST_CHARACTERS} characters, got {len(text)}")
        tokens = np.full((1, length), PADDING, np.int64)
        cut = self._numbers(text, length)[:length]
        tokens[0, : len(cut)] = cut
        return tokens


def _byte_numbers(text: str, length: int) -> list[int]:
    return [byte + 1 for byte in text.encode("utf-8", "replace")]


def _word_numbers(path: Path) -> Numbers:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path} is no UTF-8 text") from error
    table = {word: number for number, word in enumerate(lines, FIRST_WORD)}

    def numbers(text: str, length: int) -> list[int]:
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        return [table.get(word, UNKNOWN) for word in words]

    return numbers


def _piece_numbers(path: Path) -> Numbers:
    """Read a sentencepiece model, umT5's in published bundles: pieces, then the end of sentence."""
    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as error:
        raise ArtifactError(f"{path} is no sentencepiece model: {error}") from error
    end, padding = int(model.eos_id()), int(model.pad_id())
    if end < 0 or padding != PADDING:
        raise ArtifactError(
            f"{path} pads with {padding} and ends with {end}; a text encoder of the T5 family "
            f"needs a model that pads with {PADDING} and has an end of sentence"
        )

    def numbers(text: str, length: int) -> list[int]:
        readable = _clean(text).encode("utf-8", "replace").decode("utf-8")
        pieces: list[int] = model.encode(readable, out_type=int)
        return [*pieces[: length - 1], end]

    return numbers


def _clean(text: str) -> str:
    """Undo HTML escapes, twice as in training, and collapse white space.

    Source: Wan-Video/Wan2.1, wan/modules/tokenizers.py (Apache-2.0).
    """
    return re.sub(r"\s+", " ", html.unescape(html.unescape(text))).strip()
