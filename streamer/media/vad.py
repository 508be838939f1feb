"""Whether somebody speaks, from loudness over a noise floor that is learned while they do not."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from streamer.media.types import SAMPLE_RATE, Samples

FRAME = SAMPLE_RATE // 100  # 10 ms
OVER_FLOOR_DB = 9.0
LEAST_DB = -55.0  # of full scale; below it nobody speaks to us
LOUD_DB = 20.0  # over the floor: speech even where it hisses
HISS = 0.36  # zero crossings a sample: voices stay below, white noise is at 0.5
FLOOR_START_DB = LEAST_FLOOR_DB = -65.0
FLOOR_UP_DB = 0.15  # a frame, 15 dB/s, where sound is steady: that is a noise
FLOOR_UP_UNSTEADY_DB = 0.01  # 1 dB/s, where it is not: fluent speech is no floor
STEADY_DB = 12.0  # between the loudest and the quietest moment
FLOOR_BIAS_DB = 1.5  # the quietest moment of a noise is below its mean
PART_FRAMES, PARTS = 25, 12  # the floor is the quietest moment of 3 s: speech has pauses
SMOOTHING = 0.4  # of power, a frame
ONSET_FRAMES, ONSET_OF = 3, 5  # 3 loud frames among 5 are a beginning
HANGOVER_FRAMES = 30  # 300 ms of quiet are an end; a stop consonant is shorter


class VoiceActivity:
    """One voice at 16 kHz. Owned by one caller."""

    def __init__(self) -> None:
        self.is_speech = False
        self.floor_db = FLOOR_START_DB
        self._left = np.zeros(0, np.float32)
        self._recent: deque[bool] = deque([False] * ONSET_OF, maxlen=ONSET_OF)
        self._power = 0.0
        self._extremes: deque[tuple[float, float]] = deque(maxlen=PARTS)  # dB, of each part
        self._part_frames = PART_FRAMES
        self._quiet = 0  # frames since the last loud one
        self._position = 0  # samples

    def process(self, samples: Samples) -> list[tuple[int, bool]]:
        """Take samples [n]; give each change as (samples since the beginning, is_speech)."""
        data = np.concatenate([self._left, samples])
        whole = len(data) // FRAME * FRAME
        self._left = data[whole:]
        changes = []
        for frame in data[:whole].reshape(-1, FRAME):
            before = self.is_speech
            self._hear(frame)
            self._position += FRAME
            if self.is_speech != before:
                changes.append((self._position, self.is_speech))
        return changes

    def _hear(self, frame: Samples) -> None:
        level = level_db(frame)
        over = level - self.floor_db
        hiss = float(np.count_nonzero(np.diff(np.signbit(frame)))) / FRAME
        is_loud = level > LEAST_DB and over > (OVER_FLOOR_DB if hiss < HISS else LOUD_DB)
        self._learn_floor(frame)
        self._recent.append(is_loud)
        self._quiet = 0 if is_loud else self._quiet + 1
        if not self.is_speech:
            self.is_speech = sum(self._recent) >= ONSET_FRAMES
        elif self._quiet >= HANGOVER_FRAMES:
            self.is_speech = False

    def _learn_floor(self, frame: Samples) -> None:
        power = float(np.mean(np.square(frame, dtype=np.float64)))
        self._power += SMOOTHING * (power - self._power)
        level = 10 * math.log10(max(self._power, 1e-10))
        if self._part_frames >= PART_FRAMES:
            self._extremes.append((level, level))
            self._part_frames = 0
        self._part_frames += 1
        low, high = self._extremes[-1]
        self._extremes[-1] = (min(low, level), max(high, level))
        lowest = min(low for low, _ in self._extremes)
        is_steady = max(high for _, high in self._extremes) - lowest < STEADY_DB
        up = FLOOR_UP_DB if is_steady else FLOOR_UP_UNSTEADY_DB
        wanted = max(LEAST_FLOOR_DB, lowest + FLOOR_BIAS_DB)
        self.floor_db = min(wanted, self.floor_db + up)


def level_db(samples: Samples) -> float:
    """Loudness of samples [n] in dB of full scale, -100 for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * math.log10(max(power, 1e-10))
