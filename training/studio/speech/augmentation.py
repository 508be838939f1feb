"""Worse audio with the same labels: what microphones, rooms and networks do to a voice.

All but `change_speed` and `change_pitch` keep every sample in its place, so curves stay valid.
Samples are float32 [n] at 16 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample, sosfilt

from models.errors import InputError
from training.studio.performance_data import SAMPLE_RATE, Floats, Speech
from training.studio.speech.noise import SOUNDS
from training.studio.speech.phones import shifted
from training.studio.speech.waveform import at_sample_rate

OPUS_FRAME = 320  # 20 ms
OPUS_HEARD_HZ = 48_000  # its decoder knows no other rate
OPUS_DELAY = 104  # samples, 6.5 ms: what encoder and decoder look ahead
STRETCH_WINDOW = 512  # 32 ms: two to ten pitch periods
STRETCH_SEARCH = 160
SPEED_LIMITS = (0.7, 1.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often each change is made, each 0..1."""

    noise: float
    reverb: float
    equalizer: float
    telephone: float
    opus: float
    gain: float

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"chance of {name} must be within 0..1, got {getattr(self, name)}")


def usual_chances() -> Chances:
    """Leave about one clip in eight clean."""
    return Chances(noise=0.4, reverb=0.3, equalizer=0.3, telephone=0.08, opus=0.15, gain=0.6)


def augment(samples: Floats, rng: np.random.Generator, chances: Chances) -> Floats:
    """Change a voice as a room, a microphone and a network would, in that order; keeps timing."""
    out = samples
    if rng.random() < chances.reverb:
        out = reverb(out, float(rng.uniform(0.15, 0.7)), rng)
    if rng.random() < chances.noise:
        name = str(rng.choice(list(SOUNDS)))
        noise = SOUNDS[name](max(len(samples) / SAMPLE_RATE, 1.0), rng)
        out = add_noise(out, noise, float(rng.uniform(3, 30)))
    if rng.random() < chances.equalizer:
        out = equalize(out, rng)
    if rng.random() < chances.telephone:
        out = telephone(out)
    if rng.random() < chances.gain:
        out = out * np.float32(10 ** (rng.uniform(-18, 6) / 20))
    if rng.random() < chances.opus:
        out = opus(out.clip(-1, 1), int(rng.choice([6, 8, 12, 16, 24])) * 1000)
    return out.clip(-1, 1).astype(np.float32)


def add_noise(samples: Floats, noise: Floats, snr_db: float) -> Floats:
    """Add noise, repeated or cut to length, at a signal-to-noise ratio against the audible part."""
    if not len(noise):
        raise InputError("noise has no samples")
    fitted = np.resize(noise, len(samples))
    audible = samples[np.abs(samples) > 1e-3]
    signal = float(np.sqrt(np.mean(audible**2))) if len(audible) else 0.03
    level = float(np.sqrt(np.mean(fitted**2))) or 1.0
    return (samples + fitted * (signal / level * 10 ** (-snr_db / 20))).astype(np.float32)


def reverb(samples: Floats, decay_seconds: float, rng: np.random.Generator) -> Floats:
    """Put a voice in a room whose echoes fall by 60 dB in `decay_seconds`.

    The direct sound keeps its place and level; echoes begin after 2 to 12 ms.
    """
    count = round(decay_seconds * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    tail = rng.normal(size=count) * np.exp(-6.9 * time / decay_seconds)
    tail[: round(float(rng.uniform(0.002, 0.012)) * SAMPLE_RATE)] = 0
    tail *= float(rng.uniform(0.15, 0.6)) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], dtype=np.float32)


def equalize(samples: Floats, rng: np.random.Generator) -> Floats:
    """Tilt and bend the spectrum by up to 8 dB, as microphones differ; adds no delay."""
    spectrum = np.fft.rfft(samples)
    octave = np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 50.0) / 1000)
    tilt_db = float(rng.uniform(-2.5, 2.5)) * octave
    center, width = float(rng.uniform(-2, 2.5)), float(rng.uniform(0.4, 1.2))
    bump_db = float(rng.uniform(-8, 8)) * np.exp(-(((octave - center) / width) ** 2))
    shaped = np.fft.irfft(spectrum * 10 ** ((tilt_db + bump_db) / 20), len(samples))
    return shaped.astype(np.float32)


def telephone(samples: Floats) -> Floats:
    """Keep 300 to 3400 Hz."""
    band = butter(4, (300, 3400), btype="bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(sosfilt(band, samples), dtype=np.float32)


def opus(samples: Floats, bits_per_second: int) -> Floats:
    """Send a voice through Opus and back; the codec's delay is taken out again."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "flt"
    encoder.bit_rate, encoder.time_base = bits_per_second, Fraction(1, SAMPLE_RATE)
    encoder.options = {"application": "voip"}
    padded = np.pad(samples, (0, 3 * OPUS_FRAME - len(samples) % OPUS_FRAME))
    packets: list[av.Packet[av.AudioStream]] = []
    for start in range(0, len(padded), OPUS_FRAME):
        piece = np.ascontiguousarray(padded[None, start : start + OPUS_FRAME])
        frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    heard = at_sample_rate(_decoded_opus(packets), OPUS_HEARD_HZ)
    whole = heard[OPUS_DELAY : OPUS_DELAY + len(samples)]
    return np.pad(whole, (0, len(samples) - len(whole))).astype(np.float32)


def _decoded_opus(packets: list[av.Packet[av.AudioStream]]) -> Floats:
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = OPUS_HEARD_HZ, "mono"
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    joined = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    scale = 1 / 32768 if joined.dtype == np.int16 else 1.0
    return (joined * scale).astype(np.float32)


def change_speed(speech: Speech, factor: float) -> Speech:
    """Play `factor` times as fast: pitch and formants rise with it, as of a smaller person.

    Raises:
        InputError: when the factor is not within 0.7..1.4.
    """
    _check_factor(factor)
    count = round(len(speech.samples) / factor)
    return _with(speech, np.asarray(resample(speech.samples, count)), factor)


def change_pitch(speech: Speech, factor: float) -> Speech:
    """Raise pitch and formants by `factor` and keep every phone where it was.

    Raises:
        InputError: when the factor is not within 0.7..1.4.
    """
    _check_factor(factor)
    stretched = stretch(speech.samples, factor)
    return _with(speech, np.asarray(resample(stretched, len(speech.samples))), 1.0)


def change_tempo(speech: Speech, factor: float) -> Speech:
    """Speak `factor` times as fast at the same pitch.

    Raises:
        InputError: when the factor is not within 0.7..1.4.
    """
    _check_factor(factor)
    return _with(speech, stretch(speech.samples, 1 / factor), factor)


def stretch(samples: Floats, factor: float) -> Floats:
    """Make samples `factor` times as long at the same pitch, by overlapping similar pieces.

    Source: Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA)",
    ICASSP 1993.
    """
    half, search = STRETCH_WINDOW // 2, STRETCH_SEARCH
    padded = np.pad(samples.astype(np.float64), (search, STRETCH_WINDOW + search + half))
    count = round(len(samples) * factor)
    out = np.zeros(count + STRETCH_WINDOW)
    window = np.hanning(STRETCH_WINDOW + 1)[:-1]
    expected = padded[search : search + half]
    for start in range(0, count, half):
        center = search + round(start / factor)
        shift = _most_similar(padded[center - search : center + search + half], expected)
        first = center - search + shift
        out[start : start + STRETCH_WINDOW] += padded[first : first + STRETCH_WINDOW] * window
        expected = padded[first + half : first + STRETCH_WINDOW]
    return out[:count].astype(np.float32)


def _most_similar(area: NDArray[np.float64], wanted: NDArray[np.float64]) -> int:
    """Give the offset in `area` at which it correlates best with `wanted`."""
    return int(np.argmax(np.correlate(area, wanted, mode="valid")))


def _check_factor(factor: float) -> None:
    low, high = SPEED_LIMITS
    if not low <= factor <= high:
        raise InputError(f"a voice is changed by a factor within {low}..{high}, got {factor}")


def _with(speech: Speech, samples: NDArray[np.floating], speed: float) -> Speech:
    return Speech(
        samples=samples.clip(-1, 1).astype(np.float32),
        phones=shifted(speech.phones, 0.0, speed),
        text=speech.text,
        voice=speech.voice,
        source=speech.source,
    )
