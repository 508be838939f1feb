"""The conversation of the demo: who says what, spoken by neural voices into small files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from training.studio.performance_data import FPS, SAMPLE_RATE, Floats
from training.studio.speech.loudness import frame_rms, speech_level
from training.studio.speech.voices import VoiceSource

BIT_RATE = 24_000
LOUD = 0.2  # root mean square of loud moments, full scale 1


class Line(NamedTuple):
    """One utterance."""

    speaker: int
    text: str


WELCOME: Sequence[Line] = (
    Line(0, "Good morning! Did you notice that we both live in one picture?"),
    Line(1, "I did. You speak, I listen, and nobody ever filmed us."),
    Line(0, "Every frame is made while we talk, on two small processor cores."),
    Line(1, "So a visitor could take your seat, and speak with your face?"),
    Line(0, "Yes. Press join, allow the microphone, and say something."),
    Line(1, "And what if there is no microphone?"),
    Line(0, "Then choose a sound file, or let a bot do the talking."),
    Line(1, "Wonderful. I will stay here, and listen for a while."),
)
VOICES: Mapping[int, str] = {0: "kokoro/jf_nezumi", 1: "kokoro/jf_alpha"}


def speak_conversation(lines: Sequence[Line], source: VoiceSource, folder: Path) -> None:
    """Speak lines into FOLDER/NUMBER-SPEAKER.ogg (Opus, mono), all equally loud.

    Raises:
        SpeechError: when a voice cannot say a line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {voice.name: voice for voice in source.voices}
    for number, line in enumerate(lines):
        speech = source.speak(line.text, by_name[VOICES[line.speaker]], 1.0)
        path = folder / f"{number:02d}-{line.speaker}.ogg"
        levels = frame_rms(speech.samples, len(speech.samples) * FPS // SAMPLE_RATE)
        write_opus(speech.samples * (LOUD / speech_level(levels)), path)


def write_opus(samples: Floats, path: Path) -> None:
    """Write mono samples [n] at 16 kHz as Opus in Ogg."""
    with av.open(str(path), "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=SAMPLE_RATE)
        stream.bit_rate = BIT_RATE
        stream.layout = "mono"
        pcm = (np.clip(samples, -1, 1) * 32767).round().astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
