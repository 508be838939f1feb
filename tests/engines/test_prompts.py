from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece

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


def sentencepiece_rule(folder: Path, pad_id: int = 0, unk_id: int = 2) -> Tokenizer:
    """Train a model on the spot with the special numbers of umT5, or others."""
    path = folder / "spiece.model"
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["they laugh and talk", "a calm room", "we laugh & smile"] * 4),
            model_writer=file,
            model_type="unigram",
            vocab_size=25,
            minloglevel=2,
            pad_id=pad_id,
            eos_id=1,
            unk_id=unk_id,
            bos_id=-1,
        )
    return Tokenizer(kind="sentencepiece", file=describe_file(folder, path))


def test_pieces_end_with_the_end_of_sentence_cut_or_padded(tmp_path: Path) -> None:
    rule = sentencepiece_rule(tmp_path)
    tokenizer = PromptTokenizer(rule, tmp_path)
    assert rule.file is not None
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / rule.file.path))
    wanted = model.encode("they laugh & smile")
    tokens = tokenizer.encode("they  laugh\n&amp;amp; smile ", 40)[0].tolist()
    assert tokens == [*wanted, 1, *[0] * (39 - len(wanted))]
    assert tokenizer.encode("they laugh & smile", 3)[0].tolist() == [*wanted[:2], 1]
    assert tokenizer.encode("", 3)[0].tolist() == [1, 0, 0]
    assert 1 in tokenizer.encode("\ud800", 9)[0].tolist()  # half a character is a question mark


def test_a_model_that_is_none_or_of_another_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="pads with 3 and ends with 1"):
        PromptTokenizer(sentencepiece_rule(tmp_path, pad_id=3, unk_id=0), tmp_path)
    path = tmp_path / "none.model"
    path.write_bytes(b"no model")
    rule = Tokenizer(kind="sentencepiece", file=describe_file(tmp_path, path))
    with pytest.raises(ArtifactError, match=r"none\.model is no sentencepiece model"):
        PromptTokenizer(rule, tmp_path)


def test_an_endless_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 4000 characters, got 4001"):
        PromptTokenizer(Tokenizer(kind="bytes"), tmp_path).encode("x" * 4001, 8)
