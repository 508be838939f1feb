from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from engines.audio_files import read_audio
from training.studio.conversation import LOUD, VOICES, WELCOME, Line, speak_conversation
from training.studio.performance_data import Speech
from training.studio.speech.voices import Voice


class Toning:
    """Hums for a second, each voice at its own loudness."""

    name, version = "toning", "1"
    voices = tuple(
        Voice(
            name=name,
            source="toning",
            gender="female",
            language="en",
            is_held_out=True,
            share=1.0,
        )
        for name in VOICES.values()
    )

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        loudness = 0.02 if voice.name == VOICES[0] else 0.5
        tone = np.sin(np.arange(16000) * 0.2).astype(np.float32) * loudness
        return Speech(samples=tone, phones=(), text=text, voice=voice.name, source="toning")

    def close(self) -> None:
        pass


def test_utterances_are_files_by_number_and_speaker_equally_loud(tmp_path: Path) -> None:
    speak_conversation((Line(0, "a"), Line(1, "b")), Toning(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00-0.ogg", "01-1.ogg"]
    for path in tmp_path.iterdir():
        samples = read_audio(path)
        assert abs(len(samples) - 16000) < 1600
        loud = float(np.sqrt((samples[4000:12000] ** 2).mean()))
        assert abs(loud - LOUD) < 0.05
        assert path.stat().st_size < 8000


def test_the_demo_talks_in_turns_between_voices_that_there_are() -> None:
    assert {line.speaker for line in WELCOME} == set(VOICES)
    assert all(a.speaker != b.speaker for a, b in itertools.pairwise(WELCOME))
