"""A human voice: the announcements of the Asterisk telephone system, with their transcripts.

Debian packages `asterisk-core-sounds-en-g722` (16 kHz) and `asterisk-core-sounds-en` (transcripts);
CC-BY-SA-3.0, spoken by Allison Smith. Phone times come from alignment.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import av
import numpy as np

from training.studio.performance_data import SAMPLE_RATE, Floats, Speech
from training.studio.speech.alignment import Aligner
from training.studio.speech.voices import MissingVoiceError, SpeechError, Voice
from training.studio.speech.waveform import at_sample_rate

SHARE = 10.0
SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TRANSCRIPTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
HELD_OUT_OF = 5  # one file in five, by a checksum of its name
FEWEST_WORDS = 3


class RecordingSource:
    """Recorded sentences: a voice for training and, with other sentences, one for tests."""

    def __init__(self, sounds: Path = SOUNDS, transcripts: Path = TRANSCRIPTS) -> None:
        """Read the transcripts.

        Raises:
            MissingVoiceError: when the packages are not installed.
        """
        if not sounds.is_dir() or not transcripts.is_file():
            raise MissingVoiceError(
                "recordings: apt-get install asterisk-core-sounds-en asterisk-core-sounds-en-g722 "
                f"(looked for {sounds} and {transcripts})"
            )
        self.name = "asterisk"
        self._aligner = Aligner()
        self._paths = self._aligned_texts(sounds, transcripts)
        self.version = f"{len(self._paths)} sentences"
        self.voices = tuple(
            Voice(
                name=f"asterisk/allison-{split}",
                source=self.name,
                gender="female",
                language="en",
                is_held_out=split == "test",
                share=SHARE,
                texts=tuple(sorted(t for t, p in self._paths.items() if _split(p) == split)),
            )
            for split in ("train", "test")
        )

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        """Play the recording of a text; a recording has one speed only, so `speed` is not used."""
        path = self._paths.get(text)
        if path is None:
            raise SpeechError(f"{voice.name} has no recording of {text!r}")
        samples = decode_g722(path)
        return Speech(
            samples=samples,
            phones=self._aligner.align(samples, text),
            text=text,
            voice=voice.name,
            source=self.name,
        )

    def close(self) -> None:
        return None

    def _aligned_texts(self, sounds: Path, transcripts: Path) -> dict[str, Path]:
        """Map transcripts to files, leaving out tones and words the aligner does not know."""
        with gzip.open(transcripts, "rt", errors="replace") as file:
            lines = file.read().splitlines()
        paths: dict[str, Path] = {}
        for line in lines:
            name, colon, text = line.partition(":")
            path = sounds / f"{name.strip()}.g722"
            spoken = text.strip()
            is_speech = bool(colon) and not line.startswith(";") and not set("[(") & set(spoken)
            if not is_speech or len(spoken.split()) < FEWEST_WORDS or not path.is_file():
                continue
            if self._aligner.knows(spoken):
                paths[spoken] = path
        return paths


def _split(path: Path) -> str:
    return "test" if zlib.crc32(path.stem.encode()) % HELD_OUT_OF == 0 else "train"


def decode_g722(path: Path) -> Floats:
    """Decode a G.722 file to 16 kHz."""
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
        rate_hz = container.streams.audio[0].codec_context.sample_rate
    samples = np.concatenate(frames).view(np.int16).astype(np.float32) / np.float32(32768)
    return at_sample_rate(samples, rate_hz or SAMPLE_RATE)
