"""Sustained and sung vowels, laughs and breaths, made of pulses and noise through resonances.

No program and no recording is needed. The phones are exact by construction.

Source: the cascade of second-order resonators is Klatt, "Software for a cascade/parallel formant
synthesizer", JASA 67, 1980; formant frequencies are averages of American adult men, scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

from training.studio.performance_data import SAMPLE_RATE, Floats, Phone, Speech
from training.studio.speech.voices import Gender
from training.studio.speech.waveform import faded, levelled

FORMANTS_HZ: dict[str, tuple[float, float, float]] = {
    **{"AA": (730, 1090, 2440), "IY": (270, 2290, 3010), "UW": (300, 870, 2240)},
    **{"AO": (570, 840, 2410), "EH": (530, 1840, 2480), "AE": (660, 1720, 2410)},
    **{"M": (250, 1000, 2200), "N": (250, 1500, 2300), "L": (360, 1100, 2600)},
    **{"HH": (600, 1500, 2500), "AH": (640, 1190, 2390)},
}
BANDWIDTHS_HZ = (80.0, 100.0, 140.0)
QUIETER = {"M": 0.35, "N": 0.4, "L": 0.6, "HH": 0.12}  # than a vowel
VOWELS_SUNG = ("AA", "IY", "UW", "AO", "EH", "AE")
ONSETS = ("M", "L", "N", "")
SCALE_STEPS = (0, 2, 4, 5, 7, 9, 12)  # half tones of a major scale
GLIDE_SAMPLES = 320  # 20 ms from one sound to the next

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Singer:
    """A larynx and a throat."""

    name: str
    pitch_hz: float  # of the lowest note
    tract: float  # formants relative to an average man's
    breathiness: float  # noise in the pulses, 0..1


def draw_singer(rng: np.random.Generator, gender: Gender) -> Singer:
    """Draw a singer; no two are alike."""
    is_woman = gender == "female"
    return Singer(
        name=f"formant/{gender}",
        pitch_hz=float(rng.uniform(190, 290) if is_woman else rng.uniform(95, 150)),
        tract=float(rng.uniform(1.1, 1.25) if is_woman else rng.uniform(0.95, 1.08)),
        breathiness=float(rng.uniform(0.02, 0.15)),
    )


def sing(singer: Singer, seconds: float, rng: np.random.Generator) -> Speech:
    """Sing notes of 0.4 to 1.8 s on one syllable each, with pauses to breathe.

    Half of the syllables begin with a consonant; an M shuts the lips.
    """
    phones: list[Phone] = []
    notes_hz: list[float] = []  # one for each phone
    time = 0.05
    while time < seconds - 0.5:
        length = float(rng.uniform(0.4, 1.8))
        end = min(time + length, seconds - 0.05)
        note = singer.pitch_hz * 2 ** (int(rng.choice(SCALE_STEPS)) / 12)
        onset = str(rng.choice(ONSETS)) if rng.random() < 0.7 else ""
        if onset:
            split = time + float(rng.uniform(0.08, 0.16))
            phones.append(Phone(start=time, end=split, symbol=onset))
            notes_hz.append(note)
            time = split
        phones.append(Phone(start=time, end=end, symbol=str(rng.choice(VOWELS_SUNG))))
        notes_hz.append(note)
        time = end + (float(rng.uniform(0.25, 0.7)) if rng.random() < 0.25 else 0.0)
    samples = _voiced(singer, phones, notes_hz, seconds, rng)
    return _speech(samples, phones, "(singing)", singer)


def laugh(singer: Singer, seconds: float, rng: np.random.Generator) -> Speech:
    """Laugh "ha ha ha", about five a second, falling in pitch and loudness."""
    phones: list[Phone] = []
    notes_hz: list[float] = []
    time, note = 0.02, singer.pitch_hz * float(rng.uniform(1.5, 2.0))
    period = float(rng.uniform(0.17, 0.24))
    while time < seconds - period:
        breath = time + period * 0.45
        phones.append(Phone(start=time, end=breath, symbol="HH"))
        phones.append(Phone(start=breath, end=time + period, symbol="AH"))
        notes_hz += [note, note]
        note *= float(rng.uniform(0.92, 0.98))
        time += period * float(rng.uniform(0.95, 1.15))
    samples = _voiced(singer, phones, notes_hz, seconds, rng)
    samples *= np.linspace(1, 0.45, len(samples), dtype=np.float32)
    return _speech(samples, phones, "(laughing)", singer)


def breath_sound(seconds: float, rng: np.random.Generator) -> Floats:
    """Breathe in through the nose: soft noise that swells and stops. The mouth stays shut."""
    count = round(seconds * SAMPLE_RATE)
    noise = rng.normal(size=count)
    for center, width in ((900.0, 700.0), (2200.0, 1200.0)):
        noise = _resonated(noise, center, width)
    swell = np.sin(np.linspace(0, np.pi, count)) ** 1.5
    return levelled((noise * swell).astype(np.float32), rms=float(rng.uniform(0.004, 0.012)))


def _speech(samples: Floats, phones: list[Phone], text: str, singer: Singer) -> Speech:
    return Speech(
        samples=faded(levelled(samples)),
        phones=tuple(phones),
        text=text,
        voice=singer.name,
        source="formant",
    )


def _voiced(
    singer: Singer,
    phones: list[Phone],
    notes_hz: list[float],
    seconds: float,
    rng: np.random.Generator,
) -> Floats:
    """Sound the phones, each at its note, with vibrato and glides between them."""
    count = round(seconds * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    note, level, out = np.full(count, singer.pitch_hz), np.zeros(count), np.zeros(count)
    for phone, pitch in zip(phones, notes_hz, strict=True):
        inside = (time >= phone.start) & (time < phone.end)
        note[inside] = pitch
        level[inside] = QUIETER.get(phone.symbol, 1.0)
    vibrato = 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * time)
    pulses = _pulses(_gliding(note) * vibrato, singer.breathiness, rng)
    pulses *= _gliding(level)
    for symbol in sorted({phone.symbol for phone in phones}):
        share = np.zeros(count)
        for phone in phones:
            if phone.symbol == symbol:
                share[(time >= phone.start) & (time < phone.end)] = 1
        shaped = pulses
        for center, width in zip(FORMANTS_HZ[symbol], BANDWIDTHS_HZ, strict=True):
            shaped = _resonated(shaped, center * singer.tract, width)
        out += shaped * _gliding(share)
    return out.astype(np.float32)


def _gliding(steps: FloatArray) -> FloatArray:
    """Round off steps; two running means cost the same however long the glide is."""
    return np.asarray(uniform_filter1d(uniform_filter1d(steps, GLIDE_SAMPLES), GLIDE_SAMPLES))


def _pulses(pitch_hz: FloatArray, breathiness: float, rng: np.random.Generator) -> FloatArray:
    """Make glottal pulses: a rounded saw whose spectrum falls 12 dB an octave, plus noise."""
    phase = np.cumsum(pitch_hz) / SAMPLE_RATE % 1.0
    flow = np.where(phase < 0.6, np.sin(np.pi * phase / 0.6) ** 2, 0.0)
    noise = rng.normal(size=len(pitch_hz)) * breathiness * flow
    return np.diff(flow, prepend=0.0) * 8 + noise


def _resonated(samples: FloatArray, center_hz: float, width_hz: float) -> FloatArray:
    """Pass samples through one resonance with unit gain at 0 Hz (Klatt 1980, eq. 1-2)."""
    radius = np.exp(-np.pi * width_hz / SAMPLE_RATE)
    b = 2 * radius * np.cos(2 * np.pi * center_hz / SAMPLE_RATE)
    c = -(radius**2)
    return np.asarray(lfilter([1 - b - c], [1, -b, -c], samples))
