"""Where the stages of the transformer get their clips and their words from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from models.errors import InputError
from models.studio.config import TextEncoderConfig
from training.stages.dit.smoke import encode_dolls
from training.stages.dit.windows import ClipBank
from training.stages.dit.words import FIRST_WORD, WordTable

DOLLS, HELD_OUT_DOLLS = "dolls", "held-out-dolls"  # folders of a smoke run


class Banks(NamedTuple):
    """Encoded clips of both splits."""

    train: ClipBank
    held_out: ClipBank


def people(clips: Sequence[Path], held_out: Path | None) -> Banks:
    """Open folders of encoded clips.

    Raises:
        InputError: when one of the splits was not named, or holds no clip.
    """
    if not clips or held_out is None:
        raise InputError(
            "name folders of encoded clips: --clips of the train split and --held-out of the test "
            "split, both made by `parley train encode`"
        )
    return Banks(ClipBank(clips), ClipBank([held_out]))


def dolls(out: Path) -> Banks:
    """Open the dolls of a smoke run, drawn and encoded when they are not there yet."""
    train, held_out = out / DOLLS, out / HELD_OUT_DOLLS
    if not held_out.exists():
        encode_dolls(train, held_out)
    return Banks(ClipBank([train]), ClipBank([held_out]))


def words_of(path: Path, bank: ClipBank, text: TextEncoderConfig) -> WordTable:
    """Read a run's table of words, or make it of the prompts at the run's start."""
    if not path.exists():
        WordTable.of(bank.prompts(), text.words - FIRST_WORD, text.length).write(path)
    return WordTable.read(path, text.length)
