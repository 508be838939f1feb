"""How far a mouth should be open for what is heard, from recognized sounds.

It is a coarse guess: the recognizer knows English sounds only and errs on every third one, and
every sound gets one opening. It is good for timing and for who speaks; where the true curves are
known, take those.

Shape letters: T video frames, n samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

from training.studio.performance_data import SAMPLE_RATE, Phone

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]

SILENCE = "SIL"
PIECE_S = 20.0  # the recognizer hears at most so much at once
MARGIN_S = 0.15  # heard before and after detected speech
RECOGNIZER_HZ = 100

# Opening of the inner lips by sound, as a part of the widest. Original, set by phonetic class:
# open vowels, mid vowels, close and rounded vowels, consonants by place.
OPENING = {
    **dict.fromkeys(("AA", "AE", "AW", "AY"), 1.0),
    **dict.fromkeys(("AO", "EH", "AH", "OY"), 0.7),
    **dict.fromkeys(("EY", "OW", "HH"), 0.5),
    **dict.fromkeys(("IH", "UH", "ER", "L", "K", "G", "NG"), 0.35),
    **dict.fromkeys(("IY", "Y", "TH", "DH", "T", "D", "N", "R"), 0.25),
    **dict.fromkeys(("S", "Z", "SH", "ZH", "CH", "JH", "UW", "W"), 0.15),
    **dict.fromkeys(("F", "V"), 0.08),
    **dict.fromkeys(("P", "B", "M", SILENCE), 0.0),
}
UNKNOWN_OPENING = 0.2
SMOOTHING_S = 0.03
LOUDNESS_S = 0.1
QUIET_GAIN = 0.4  # how much of the opening is left in the quietest speech


class PhoneRecognizer:
    """Recognizes English sounds without a dictionary.

    Source: pocketsphinx 5.1.1 with its en-us acoustic and phone models (BSD), all in the package.
    """

    def __init__(self) -> None:
        model = get_model_path("en-us/en-us-phone.lm.bin")
        # The beams and weight are those of the recognizer's own documentation for phones.
        self._decoder = Decoder(
            lm=None, allphone=model, lw=2.0, beam=1e-20, pbeam=1e-20, loglevel="FATAL"
        )

    def hear(self, samples: Samples, speech_s: Sequence[tuple[float, float]]) -> tuple[Phone, ...]:
        """Recognize the sounds of samples [n] inside the intervals of speech; silence is left out.

        Blocks for about a twentieth of the speech's time.
        """
        found: list[Phone] = []
        for start, end in pieces(speech_s, len(samples) / SAMPLE_RATE):
            first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
            pcm = (samples[first:last].clip(-1, 1) * 32767).astype("<i2").tobytes()
            self._decoder.start_utt()
            self._decoder.process_raw(pcm, no_search=False, full_utt=True)
            self._decoder.end_utt()
            for segment in self._decoder.seg() or ():
                if segment.word in OPENING and segment.word != SILENCE:
                    begin = start + segment.start_frame / RECOGNIZER_HZ
                    stop = start + (segment.end_frame + 1) / RECOGNIZER_HZ
                    found.append(Phone(start=begin, end=stop, symbol=segment.word))
        return tuple(found)


def pieces(speech_s: Sequence[tuple[float, float]], length_s: float) -> list[tuple[float, float]]:
    """Widen intervals by the margin, join what then touches, and cut what is too long."""
    joined: list[tuple[float, float]] = []
    for start, end in speech_s:
        start, end = max(0.0, start - MARGIN_S), min(length_s, end + MARGIN_S)
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    cut = []
    for start, end in joined:
        count = int(np.ceil((end - start) / PIECE_S))
        edges = np.linspace(start, end, count + 1)
        cut += [(float(a), float(b)) for a, b in pairwise(edges)]
    return cut


def opening_heard(phones: Sequence[Phone], samples: Samples, frames: int, fps: float) -> Floats:
    """Guess the mouth's opening from sounds and loudness: [T], 0 is closed."""
    fine = np.zeros(int(np.ceil(frames / fps * RECOGNIZER_HZ)) + 1)
    for phone in phones:
        start, end = round(phone.start * RECOGNIZER_HZ), round(phone.end * RECOGNIZER_HZ)
        fine[start:end] = OPENING.get(phone.symbol, UNKNOWN_OPENING)
    fine *= QUIET_GAIN + (1 - QUIET_GAIN) * _loudness(samples, len(fine))
    radius = int(np.ceil(3 * SMOOTHING_S * RECOGNIZER_HZ))
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (SMOOTHING_S * RECOGNIZER_HZ)) ** 2)
    smooth = np.convolve(np.pad(fine, radius, mode="edge"), bell / bell.sum(), mode="valid")
    middles_s = (np.arange(frames) + 0.5) / fps
    opening: Floats = np.interp(middles_s * RECOGNIZER_HZ, np.arange(len(smooth)) + 0.5, smooth)
    return opening


def _loudness(samples: Samples, count: int) -> Floats:
    """Give loudness 0..1 at each hundredth of a second [count]; 1 is the loud part of speech."""
    hop = SAMPLE_RATE // RECOGNIZER_HZ
    padded = np.zeros(count * hop, np.float64)
    padded[: len(samples)] = samples[: len(padded)]
    power = (padded.reshape(count, hop) ** 2).mean(1)
    width = round(LOUDNESS_S * RECOGNIZER_HZ)
    level = np.sqrt(np.convolve(power, np.full(width, 1 / width), mode="same"))
    heard = level[level > 1e-4]
    if not len(heard):
        return np.zeros(count)
    loudness: Floats = (level / np.percentile(heard, 85)).clip(0, 1)
    return loudness
