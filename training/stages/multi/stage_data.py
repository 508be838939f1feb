"""The clips of a stage after the first: batches to learn from, and what it is examined on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import InputError
from training.stages.dit.banks import dolls
from training.stages.dit.examination import Examiner
from training.stages.dit.gap_reader import GapReader
from training.stages.dit.shipped import WEIGHTS
from training.stages.dit.windows import Bank, ClipBank, WindowConfig
from training.stages.dit.words import WordTable
from training.stages.multi.scenes import SceneConfig, SceneSource, SideBySideBank
from training.stages.multi.smoke import doll_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitBanks:
    """Clips of one split; None where there are none."""

    singles: Bank | None
    scenes: Bank | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneBanks:
    """Clips of both splits."""

    train: SplitBanks
    held_out: SplitBanks


def people_banks(
    clips: Sequence[Path], scenes: Sequence[Path], held_out: Sequence[Path]
) -> SceneBanks:
    """Open folders of encoded clips.

    Raises:
        InputError: when there is nothing of one of the splits.
    """
    if not held_out or not (clips or scenes):
        raise InputError(
            "name folders of encoded clips: --clips of one person, --scenes of several, or both, "
            "and --held-out of the test split, all made by `parley train encode`"
        )
    test = ClipBank(held_out)
    return SceneBanks(
        train=SplitBanks(
            singles=ClipBank(clips) if clips else None,
            scenes=ClipBank(scenes) if scenes else None,
        ),
        held_out=SplitBanks(
            singles=test.of_people(1, 1) or None, scenes=test.of_people(2, None) or None
        ),
    )


def smoke_banks(out: Path, start: Path, scenes: SceneConfig) -> SceneBanks:
    """Open the dolls that a smoke run began with, and pairs of dolls where they are wanted."""
    singles = dolls(start if (start / WEIGHTS).exists() else out)
    if not scenes.true_share:
        return SceneBanks(
            train=SplitBanks(singles=singles.train, scenes=None),
            held_out=SplitBanks(singles=singles.held_out, scenes=None),
        )
    pairs = doll_pairs(out)
    return SceneBanks(
        train=SplitBanks(singles=singles.train, scenes=pairs.train),
        held_out=SplitBanks(singles=singles.held_out, scenes=pairs.held_out),
    )


def source_of(
    banks: SplitBanks, words: WordTable, scenes: SceneConfig, windows: WindowConfig
) -> SceneSource:
    """Give what draws batches of a split.

    Raises:
        InputError: when clips are missing that the settings ask for.
    """
    return SceneSource(banks.singles, banks.scenes, words, scenes, windows)


def examiner_of(
    stage: str,
    banks: SceneBanks,
    words: WordTable,
    scenes: SceneConfig,
    windows: WindowConfig,
) -> Examiner:
    """Examine every number of people that is trained side by side, and true scenes.

    Raises:
        InputError: when clips are missing that the settings ask for.
    """
    test, rolled = banks.held_out, dict[str, Bank]()
    if test.singles:
        for people, share in enumerate(scenes.people_shares, 1):
            if share > 0:
                rolled[f"_{people}"] = SideBySideBank(test.singles, people, scenes.panel)
    if test.scenes and scenes.true_share:
        rolled["_scenes"] = test.scenes
    true_share = scenes.true_share if test.scenes else 0.0
    seen = replace(scenes, true_share=true_share if test.singles else 1.0)
    return Examiner(
        stage=stage,
        words=words,
        windows=windows,
        source=source_of(test, words, seen, windows),
        rolled=rolled,
        reader=GapReader.fit(source_of(banks.train, words, scenes, windows), seed=0),
    )
