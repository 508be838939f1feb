"""What the sound says of each person: when they speak and how their mouth should move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.errors import InputError
from training.metrics.heard_mouth import PhoneRecognizer, opening_heard
from training.metrics.known_curves import read_known_mouth
from training.metrics.quality import Heard
from training.metrics.speech_activity import (
    WINDOW_SAMPLES,
    SpeechDetector,
    intervals,
    speaking_frames,
    speaking_windows,
)
from training.metrics.tracks import FaceTracks
from training.metrics.video import Samples
from training.metrics.voices import Voices
from training.studio.performance_data import SAMPLE_RATE


class Listener:
    """Owns the models that listen."""

    def __init__(self, assets: Path | None = None) -> None:
        self._detector = SpeechDetector(assets)
        self._recognizer = PhoneRecognizer()

    def hear(
        self, voices: Voices, tracks: FaceTracks, curves: Mapping[int, Path]
    ) -> tuple[Heard, ...]:
        """Listen to everybody in the video; true curves replace what is heard of the mouth.

        Raises:
            InputError: when curves are for a seat that nobody has, or cannot be read.
        """
        wrong = [seat for seat in curves if not 0 <= seat < tracks.people]
        if wrong:
            raise InputError(
                f"--curves {wrong[0]}=... : seats are 0 to {tracks.people - 1}, from the left"
            )
        if voices.is_mixed or not voices.samples:
            heard = [self._one(voices.of(0), tracks)] * tracks.people
        else:
            heard = [self._one(samples, tracks) for samples in voices.samples]
        return tuple(
            _with_curves(each, curves[seat], tracks) if seat in curves else each
            for seat, each in enumerate(heard)
        )

    def _one(self, samples: Samples, tracks: FaceTracks) -> Heard:
        is_speech = speaking_windows(self._detector.probabilities(samples))
        spoken_s = intervals(is_speech, SAMPLE_RATE / WINDOW_SAMPLES)
        phones = self._recognizer.hear(samples, spoken_s)
        return Heard(
            expected=opening_heard(phones, samples, tracks.frames, tracks.fps),
            phones=phones,
            is_speaking=speaking_frames(is_speech, tracks.frames, tracks.fps),
            source="heard",
        )


def _with_curves(heard: Heard, path: Path, tracks: FaceTracks) -> Heard:
    known = read_known_mouth(path, tracks.frames, tracks.fps)
    if not np.isfinite(known.opening).any():
        raise InputError(f"{path} holds no finite opening for the frames of this video")
    return heard._replace(
        expected=known.opening, phones=known.phones or heard.phones, source="curves"
    )
