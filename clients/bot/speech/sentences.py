"""Cuts text into sentences, also while it still comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator

# An end is a mark, perhaps a closing quote, and then space or the end; not "3.5", not "e.g. this".
_END = re.compile(r"[.!?…]+[\"'»”)\]]*(?=\s)|[。！？]|\n+")  # noqa: RUF001  # Chinese ends meant
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "no.", "e.g.", "i.e.", "vs."})
MOST_CHARACTERS = 300  # of a sentence; a longer one is cut at a space


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a whole text, without the space around them."""
    rest = text
    while rest:
        end = _sentence_end(rest)
        end = len(rest) if end is None else end
        sentence, rest = rest[:end].strip(), rest[end:]
        if sentence:
            yield sentence


async def sentences_of(pieces: AsyncIterable[str]) -> AsyncIterator[str]:
    """Yield each sentence as soon as what follows shows that it is complete."""
    rest = ""
    async for piece in pieces:
        rest += piece
        while (end := _sentence_end(rest)) is not None:
            sentence, rest = rest[:end].strip(), rest[end:]
            if sentence:
                yield sentence
    for sentence in sentences(rest):
        yield sentence


def _sentence_end(text: str) -> int | None:
    """Where the first sentence ends; None while it may go on."""
    for match in _END.finditer(text):
        words = text[: match.end()].split()
        if words and words[-1].lower() not in _ABBREVIATIONS and match.end() <= MOST_CHARACTERS:
            return match.end()
        if match.end() > MOST_CHARACTERS:
            break
    if len(text) > MOST_CHARACTERS:
        return text.rfind(" ", 0, MOST_CHARACTERS) + 1 or MOST_CHARACTERS
    return None
