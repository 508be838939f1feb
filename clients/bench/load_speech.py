"""Sound that is like speech to a server: syllables of a voice. The same seed, the same sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SYLLABLES_HZ = 4.0
LOUDNESS = 0.3  # of full scale, at a syllable's top
HARMONICS = 12
PITCHES_HZ = (95.0, 220.0)
FORMANT_HZ = 700.0  # harmonics fall off beyond


def sentence(draw: np.random.Generator, rate: int, seconds: float) -> NDArray[np.int16]:
    """Speak for so long.

    Args:
        draw: chooses the pitch and where the syllables are loud.
        rate: samples per second.
        seconds: of speech.

    Returns:
        int16 [n], n = rate * seconds.
    """
    times = np.arange(round(rate * seconds)) / rate
    pitch = draw.uniform(*PITCHES_HZ) * (1 - 0.15 * times / seconds)  # sentences fall
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    orders = np.arange(1, HARMONICS + 1)
    falls = 1 / (1 + (orders * pitch.mean() / FORMANT_HZ) ** 2)
    voice = (falls[:, None] * np.sin(orders[:, None] * phase)).sum(axis=0) / falls.sum()
    breath = 0.1 * draw.standard_normal(len(times))
    syllables = np.sin(np.pi * SYLLABLES_HZ * times + draw.uniform(0, np.pi)) ** 2
    sound = LOUDNESS * syllables * (voice + breath)
    samples: NDArray[np.int16] = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
    return samples
