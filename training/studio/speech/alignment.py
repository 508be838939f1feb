"""Finds when each sound of a known text was said, with pocketsphinx (PyPI, BSD-like license).

Its English acoustic model and pronouncing dictionary come inside the package. Against flite's own
phone times the boundaries are off by about 10 ms (median); see docs/studio-speech.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from training.studio.performance_data import SAMPLE_RATE, Floats, Phone
from training.studio.speech.phones import symbol_of_arpabet
from training.studio.speech.voices import MissingVoiceError, SpeechError
from training.studio.speech.waveform import sixteen_bit

if TYPE_CHECKING:
    from pocketsphinx import Decoder

STEP_SECONDS = 0.01
WINDOW_CENTER = 0.0078  # a step is judged by 25.6 ms of sound, centered this much after its middle
LEAD_IN = np.zeros(SAMPLE_RATE // 5, np.float32)  # the model wants silence around speech


class Aligner:
    """Forced alignment of English."""

    def __init__(self) -> None:
        """Load the acoustic model.

        Raises:
            MissingVoiceError: when pocketsphinx is not installed.
        """
        try:
            from pocketsphinx import Decoder
        except ImportError as error:
            raise MissingVoiceError("alignment: pip install pocketsphinx") from error
        self._make = Decoder
        self._dictionary: Decoder = Decoder(lm=None, loglevel="FATAL")

    def knows(self, text: str) -> bool:
        """Say whether every word of a text is in the dictionary: only such texts are aligned."""
        return all(self._dictionary.lookup_word(word) for word in words(text))

    def align(self, samples: Floats, text: str) -> tuple[Phone, ...]:
        """Give the phones of `samples`, silences between them included.

        Raises:
            SpeechError: when a word is not in the dictionary, or the text is not what was said.
        """
        said = words(text)
        if not said or not self.knows(text):
            raise SpeechError(f"cannot align {text!r}: a word is not in the dictionary")
        decoder = self._make(lm=None, loglevel="FATAL")  # a used one adapts to what it heard
        decoder.set_align_text(" ".join(said))
        raw = sixteen_bit(np.concatenate([LEAD_IN, samples, LEAD_IN]))
        try:
            self._pass(decoder, raw)  # words
            if decoder.hyp() is None:
                raise SpeechError(f"alignment failed: {text!r} is not what was said")
            decoder.set_alignment()
            self._pass(decoder, raw)  # phones within them
        except RuntimeError as error:
            raise SpeechError(f"alignment of {text!r} failed: {error}") from error
        lead_in = len(LEAD_IN) / SAMPLE_RATE - WINDOW_CENTER
        seconds = len(samples) / SAMPLE_RATE
        phones: list[Phone] = []
        for word in decoder.get_alignment():
            for phone in word:
                start = max(phone.start * STEP_SECONDS - lead_in, 0.0)
                end = min((phone.start + phone.duration) * STEP_SECONDS - lead_in, seconds)
                if end > start:
                    symbol = symbol_of_arpabet(phone.name)
                    phones.append(Phone(start=start, end=end, symbol=symbol))
        return tuple(phones)

    @staticmethod
    def _pass(decoder: Decoder, raw: bytes) -> None:
        decoder.start_utt()
        decoder.process_raw(raw, no_search=False, full_utt=True)
        decoder.end_utt()


def words(text: str) -> list[str]:
    """Split a text into the words that the dictionary lists: lower case, apostrophes kept."""
    return re.sub("[^a-z' ]", " ", text.lower()).split()
