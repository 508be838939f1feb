"""One seat's voice on its way in: any PCM becomes mono at 16 kHz, clean, leveled, and watched."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.media.level import DcRemoval, LevelConfig, LevelControl
from streamer.media.resampling import Resampler
from streamer.media.types import SAMPLE_RATE, Samples
from streamer.media.vad import VoiceActivity

LEAST_RATE, MOST_RATE = 8_000, 48_000


class VoiceChange(StrEnum):
    """What can happen to a voice."""

    SPEECH_STARTED = "speech_started"
    SPEECH_STOPPED = "speech_stopped"
    STALLED = "stalled"  # its sender sends nothing any more
    RETURNED = "returned"


class VoiceEvent(NamedTuple):
    """A change, and after how many samples at 16 kHz since the voice's beginning it was known."""

    change: VoiceChange
    position: int


class VoiceBlock(NamedTuple):
    """What one call gives."""

    samples: Samples  # [n] at 16 kHz, within full scale
    events: list[VoiceEvent]


class VoiceInput:
    """The chain of one seat. Owned by one caller; never blocks.

    Args:
        rate: of what is pushed, 8000 to 48000.
        level: how loudness is evened out.

    Raises:
        ValueError: when the rate is out of bounds.
    """

    def __init__(self, rate: int, level: LevelConfig | None = None) -> None:
        if not LEAST_RATE <= rate <= MOST_RATE:
            raise ValueError(f"the rate must be {LEAST_RATE} to {MOST_RATE} Hz, got {rate}")
        self.rate = rate
        self._resampler = Resampler(rate, SAMPLE_RATE)
        self._dc = DcRemoval()
        self._activity = VoiceActivity()
        self._level = LevelControl(level)
        self._position = 0

    @property
    def is_speech(self) -> bool:
        return self._activity.is_speech

    @property
    def gain_db(self) -> float:
        """What the level control adds at present."""
        return self._level.gain_db

    @property
    def delay(self) -> float:
        """Seconds this chain holds sound back."""
        return self._resampler.delay

    def set_speed(self, ratio: float) -> None:
        """Consume what is pushed `ratio` times as fast, to follow its sender's clock.

        Raises:
            ValueError: when that is more than 1 % off, or what is pushed is at 16 kHz.
        """
        self._resampler.set_speed(ratio)

    def push(self, pcm: NDArray[Any]) -> VoiceBlock:
        """Take int16 or float PCM, mono [n] or with channels [n, c]; give what is ready.

        Raises:
            ValueError: when it is neither.
        """
        voice = self._resampler.process(to_mono(pcm))
        voice = self._dc.process(voice)
        events = [
            VoiceEvent(
                VoiceChange.SPEECH_STARTED if is_speech else VoiceChange.SPEECH_STOPPED, position
            )
            for position, is_speech in self._activity.process(voice)
        ]
        self._position += len(voice)
        voice = self._level.process(voice, self._activity.is_speech, self._activity.floor_db)
        return VoiceBlock(voice, events)


def to_mono(pcm: NDArray[Any]) -> Samples:
    """Make float32 [n] with full scale 1 of int16 or float PCM, [n] or [n, c].

    What is not finite becomes silence, and what is far beyond full scale is cut.

    Raises:
        ValueError: when type or shape are others.
    """
    if pcm.ndim not in (1, 2) or (pcm.ndim == 2 and not 1 <= pcm.shape[1] <= 8):
        raise ValueError(f"want PCM [n] or [n, channels], got {list(pcm.shape)}")
    if pcm.dtype == np.int16:
        samples: NDArray[Any] = pcm.astype(np.float32) / 32768
    elif np.issubdtype(pcm.dtype, np.floating):
        samples = np.clip(np.nan_to_num(pcm), -4.0, 4.0).astype(np.float32)
    else:
        raise ValueError(f"want int16 or float PCM, got {pcm.dtype}")
    return np.asarray(samples if samples.ndim == 1 else samples.mean(axis=1), np.float32)
