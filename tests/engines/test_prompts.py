from __future__ import annotations

from pathlib import Path

import pytest

from engines.errors import ArtifactError, InputError
from engines.manifest import Tokenizer, describe_file
from engines.prompts import PromptTokenizer


def test_bytes_are_numbered_from_one_cut_and_padded(tmp_path: Path) -> None:
    tokenizer = PromptTokenizer(Tokenizer(kind="bytes"), tmp_path)
    assert tokenizer.encode("aé", 5).tolist() == [[98, 196, 170, 0, 0]]
    assert tokenizer.encode("abc", 2).tolist() == [[98, 99]]
    assert tokenizer.encode("\ud800", 2).tolist() == [[64, 0]]  # half a character: a question mark


def test_words_are_numbered_by_their_line(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("they\nlaugh\n,\n")
    rule = Tokenizer(kind="words", file=describe_file(tmp_path, path))
    tokens = PromptTokenizer(rule, tmp_path).encode("They laugh, loudly", 6)
    assert tokens.tolist() == [[2, 3, 4, 1, 0, 0]]
    path.write_text("other")
    with pytest.raises(ArtifactError):
        PromptTokenizer(rule, tmp_path)


def test_an_endless_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 4000 characters, got 4001"):
        PromptTokenizer(Tokenizer(kind="bytes"), tmp_path).encode("x" * 4001, 8)
