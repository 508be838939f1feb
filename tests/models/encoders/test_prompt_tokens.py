from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from models.encoders.prompt_tokens import clean_prompt, load_tokenizer, tokenize
from models.errors import CheckpointError, InputError


@pytest.fixture
def tokenizer(tmp_path: Path) -> PreTrainedTokenizerBase:
    """A tokenizer of a few words, written to a directory and read back."""
    padding, end, unknown = "<pad>", "</s>", "<unk>"
    words = {padding: 0, end: 1, unknown: 2, "two": 3, "people": 4, "talk": 5}
    small = Tokenizer(models.WordLevel(words, unk_token=unknown))
    small.pre_tokenizer = pre_tokenizers.Whitespace()
    small.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, 1)]
    )
    build: Any = PreTrainedTokenizerFast  # its constructor is untyped
    fast = build(tokenizer_object=small, pad_token=padding, eos_token=end, unk_token=unknown)
    fast.save_pretrained(tmp_path)
    return load_tokenizer(tmp_path)


def test_prompts_are_padded_and_cut_to_one_length(tokenizer: PreTrainedTokenizerBase) -> None:
    ids, mask = tokenize(tokenizer, ["two people", "two people talk talk talk"], max_tokens=4)
    assert ids.tolist() == [[3, 4, 1, 0], [3, 4, 5, 1]]
    assert mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_prompts_are_cleaned_before_they_are_cut(tokenizer: PreTrainedTokenizerBase) -> None:
    ids, _ = tokenize(tokenizer, [" two&nbsp;\n people\t"], max_tokens=3)
    assert ids.tolist() == [[3, 4, 1]]


def test_html_is_unescaped_twice_and_white_space_collapsed() -> None:
    assert clean_prompt("  a &amp;amp; b\n\n c ") == "a & b c"


def test_a_directory_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="umt5-xxl"):
        load_tokenizer(tmp_path)
    with pytest.raises(CheckpointError, match="no directory"):
        load_tokenizer(tmp_path / "nowhere")


def test_no_prompt_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(InputError, match="at least one"):
        tokenize(tokenizer, [])
