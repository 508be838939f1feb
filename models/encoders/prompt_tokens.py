"""Prompts into umT5 tokens, with the published tokenizer from a local directory.

Shape letters: B prompts, N tokens.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.errors import CheckpointError, InputError

WAN_TEXT_TOKENS = 512  # Wan cuts and pads every prompt to this length


class PromptTokens(NamedTuple):
    """Token numbers and which of them are real, int64."""

    ids: Tensor  # [B, N], padded
    mask: Tensor  # [B, N], 1 for real tokens


def load_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    """Read a tokenizer (google/umt5-xxl in Wan's checkpoints) from a directory, never from a hub.

    Raises:
        CheckpointError: when the directory holds no tokenizer that transformers can read.
    """
    if not directory.is_dir():
        raise CheckpointError(f"tokenizer: {directory} is no directory; expected google/umt5-xxl")
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"tokenizer: {directory} holds none that can be read ({error}); expected the files of "
            "google/umt5-xxl, as in the google/ folder of a Wan 2.1 checkpoint"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise CheckpointError(f"tokenizer: {directory} gave a {type(tokenizer).__name__}")
    return tokenizer


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    max_tokens: int = WAN_TEXT_TOKENS,
) -> PromptTokens:
    """Clean and tokenize prompts to exactly max_tokens each, cut or padded.

    Raises:
        InputError: when there is no prompt.
    """
    if not prompts:
        raise InputError("prompts: expected at least one, got none")
    batch = tokenizer(
        [clean_prompt(prompt) for prompt in prompts],
        return_tensors="pt",
        padding="max_length",
        truncation=True,
        max_length=max_tokens,
        add_special_tokens=True,
    )
    return PromptTokens(batch["input_ids"], batch["attention_mask"])


def clean_prompt(prompt: str) -> str:
    """Undo HTML escapes (twice, as upstream) and collapse white space.

    Upstream also repairs wrongly decoded text with ftfy; that is not done, so mojibake and full-
    width Latin letters reach the tokenizer as they are.

    Source: Wan-Video/Wan2.1, wan/modules/tokenizers.py (Apache-2.0).
    """
    return re.sub(r"\s+", " ", html.unescape(html.unescape(prompt))).strip()
