"""Who can speak: voices, where they come from, and the catalogue that a clip's seed draws from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from models.errors import InputError, ModelError
from training.studio.performance_data import Speech
from training.studio.speech.sentences import Split, draw_sentence, foreign_sentences

logger = logging.getLogger(__name__)

Gender = Literal["female", "male"]

SLOWEST, FASTEST = 0.5, 2.0
FOREIGN_SHARE = 0.7  # how often a voice of another language speaks it rather than English


class MissingVoiceError(InputError):
    """A voice was asked for that this machine cannot speak with."""


class SpeechError(ModelError):
    """A synthesizer or the aligner failed on a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One voice of one source."""

    name: str  # "source/voice", such as "flite/slt"
    source: str
    gender: Gender
    language: str  # ISO 639-1
    is_held_out: bool  # for tests only
    share: float  # how often it is drawn, relative to others
    texts: tuple[str, ...] | None = None  # a recorded voice says only these; None says anything


class VoiceSource(Protocol):
    """A synthesizer or a collection of recordings. The same request gives the same samples."""

    name: str
    version: str
    voices: tuple[Voice, ...]

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        """Say a text, `speed` times as fast as usual. Blocks for a tenth of a second to several.

        Raises:
            SpeechError: when nothing can be made of the text.
        """
        ...

    def close(self) -> None: ...


class Catalogue:
    """The voices of several sources. Two equal listings mean equal clips for equal seeds."""

    def __init__(self, sources: Sequence[VoiceSource], split: Split) -> None:
        """Offer the sources' voices of one split, ordered by name.

        Raises:
            InputError: when no voice is left.
        """
        self._sources = {source.name: source for source in sources}
        wanted = split == "test"
        listed = [v for s in sources for v in s.voices if v.is_held_out == wanted]
        self.split: Split = split
        self.voices = tuple(sorted(listed, key=lambda voice: voice.name))
        if not self.voices:
            raise InputError(
                f"no voice for split {split!r} in {sorted(self._sources) or 'nothing'}"
            )

    def listing(self) -> dict[str, list[str]]:
        """List source and version -> voice names: what a clip's metadata must carry."""
        return {
            f"{name} {source.version}": [v.name for v in self.voices if v.source == name]
            for name, source in sorted(self._sources.items())
        }

    def find(self, name: str) -> Voice:
        """Get a voice by name.

        Raises:
            MissingVoiceError: when it is not in this catalogue.
        """
        for voice in self.voices:
            if voice.name == name:
                return voice
        raise MissingVoiceError(
            f"voice {name!r} is not in the {self.split} catalogue of {len(self.voices)} voices; "
            f"its source is not installed, or it belongs to the other split"
        )

    def draw(
        self, rng: np.random.Generator, gender: Gender | None, taken: Sequence[Voice] = ()
    ) -> Voice:
        """Draw a voice of a gender, by share, sparing those `taken` while there are others."""
        fitting = [v for v in self.voices if gender in (None, v.gender)] or list(self.voices)
        fitting = [v for v in fitting if v not in taken] or fitting
        shares = np.array([voice.share for voice in fitting])
        return fitting[int(rng.choice(len(fitting), p=shares / shares.sum()))]

    def line(self, voice: Voice, topic: str, rng: np.random.Generator) -> str:
        """Draw something for a voice to say: of the topic when it can say anything."""
        if voice.texts is not None:
            return str(rng.choice(voice.texts))
        foreign = foreign_sentences(voice.language, self.split)
        if foreign and topic != "backchannel" and rng.random() < FOREIGN_SHARE:
            return str(rng.choice(foreign))
        return draw_sentence(rng, topic, self.split)

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Speech:
        """Say a text.

        Raises:
            InputError: when the speed is not within 0.5..2.
            SpeechError: when the source fails on the text.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise InputError(f"speed must be within {SLOWEST}..{FASTEST}, got {speed}")
        return self._sources[voice.source].speak(text, voice, speed)

    def close(self) -> None:
        for source in self._sources.values():
            source.close()


def open_sources(openers: Sequence[Callable[[], VoiceSource]]) -> list[VoiceSource]:
    """Open those sources that are installed; log one line for each that is not."""
    sources: list[VoiceSource] = []
    for opener in openers:
        try:
            sources.append(opener())
        except MissingVoiceError as missing:
            logger.warning("left out of the voice catalogue: %s", missing)
    return sources
