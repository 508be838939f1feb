"""flite: unit selection and diphone voices, with their own exact phone times.

Debian package `flite` (BSD-like license); `-psdur` prints each phone and the time of its end.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from training.studio.performance_data import Phone, Speech
from training.studio.speech.phones import symbol_of_arpabet
from training.studio.speech.voices import Gender, MissingVoiceError, SpeechError, Voice
from training.studio.speech.waveform import at_sample_rate, read_wave

SHARE = 20.0
SLOWEST_ANSWER_SECONDS = 60.0

VOICES: dict[str, Gender] = {
    "awb": "male",  # Scottish
    "kal16": "male",  # "kal" is the same man at 8 kHz
    "rms": "male",
    "slt": "female",
}
HELD_OUT = "rms"


class FliteSource:
    """The voices that Debian builds into flite."""

    def __init__(self) -> None:
        """Find the program.

        Raises:
            MissingVoiceError: when it is not installed.
        """
        program = shutil.which("flite")
        if program is None:
            raise MissingVoiceError("flite: apt-get install flite")
        self.name = "flite"
        self._program = program
        self.version = self._version()
        self.voices = tuple(
            Voice(
                name=f"flite/{name}",
                source=self.name,
                gender=gender,
                language="en",
                is_held_out=name == HELD_OUT,
                share=SHARE / len(VOICES),
            )
            for name, gender in VOICES.items()
        )

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            stretch = ("--setf", f"duration_stretch={1 / speed:.4f}")
            name = voice.name.partition("/")[2]
            said = self._run("-voice", name, *stretch, "-psdur", "-t", text, "-o", str(path))
            samples, rate_hz = read_wave(path)
        return Speech(
            samples=at_sample_rate(samples, rate_hz),
            phones=_phones(said),
            text=text,
            voice=voice.name,
            source=self.name,
        )

    def close(self) -> None:
        return None

    def _version(self) -> str:
        said = self._run("--version", code=1)  # it says so and exits with 1
        _, _, rest = said.partition("version: ")
        return rest.split()[0] if rest else "unknown"

    def _run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(  # noqa: S603 - our own program and arguments, no shell
            [self._program, *arguments],
            capture_output=True,
            text=True,
            timeout=SLOWEST_ANSWER_SECONDS,
            check=False,
        )
        if done.returncode != code:
            raise SpeechError(f"flite {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout


def _phones(said: str) -> tuple[Phone, ...]:
    """Read "name:end" pairs, separated by spaces."""
    phones: list[Phone] = []
    start = 0.0
    for word in said.split():
        name, colon, number = word.rpartition(":")
        if not colon:
            continue
        end = float(number)
        if end > start:
            phones.append(Phone(start=start, end=end, symbol=symbol_of_arpabet(name)))
        start = end
    return tuple(phones)
