"""Opens every voice there is."""

from __future__ import annotations

from collections.abc import Sequence

from models.errors import InputError
from training.studio.speech.espeak import EspeakSource
from training.studio.speech.flite import FliteSource
from training.studio.speech.kokoro import KokoroSource
from training.studio.speech.piper import PiperSource
from training.studio.speech.recordings import RecordingSource
from training.studio.speech.sentences import Split
from training.studio.speech.voices import Catalogue, open_sources

OPENERS = {
    **{"espeak": EspeakSource, "flite": FliteSource, "kokoro": KokoroSource},
    **{"piper": PiperSource, "asterisk": RecordingSource},
}


def open_catalogue(split: Split, names: Sequence[str] | None = None) -> Catalogue:
    """Open a split's voices: of the sources named, or of all that are installed.

    A source that is not installed is left out with one line in the log; one that was named is an
    error. Kokoro has test voices only and Piper training voices only: neither is loaded in vain.

    Raises:
        MissingVoiceError: when a source that was named is not installed.
        InputError: when a name is unknown, or nothing is installed.
    """
    unknown = sorted(set(names or ()) - set(OPENERS))
    if unknown:
        raise InputError(f"no voice source {unknown}; there are {', '.join(OPENERS)}")
    if names is not None:
        return Catalogue([OPENERS[name]() for name in names], split)
    unused = "kokoro" if split == "train" else "piper"
    wanted = [opener for name, opener in OPENERS.items() if name != unused]
    return Catalogue(open_sources(wanted), split)
