"""Tracks to learn from: a voice over 20 s, and exactly what the mouth does meanwhile.

Nothing is drawn: phones give curves, curves give the lip gap. The targets are the part of a face
that a voice tells: mouth, jaw, lips and tongue at ordinary clarity, no expression. Shape letters:
n samples at 16 kHz, T video frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ConfigError
from training.stages.audio.lip_gap import GAP_UNIT_MM, lip_gap_mm
from training.studio.acting.dialogue import Kind, Role, write_dialogue
from training.studio.acting.visemes import mouth_curves
from training.studio.performance_data import ARKIT, FPS, SAMPLE_RATE, Floats, Phone
from training.studio.speech.augmentation import Chances, augment
from training.studio.speech.loudness import pitch_hz
from training.studio.speech.phones import SILENCE, SYMBOLS
from training.studio.speech.voices import Catalogue, SpeechError

PHONE_NAMES: tuple[str, ...] = (SILENCE, *sorted(SYMBOLS - {SILENCE}))
CURVES = len(ARKIT) + 1  # the last is the lip gap
TRIES = 4  # voices that may fail before a track gives up

# Kept for the training loop, which does them to log-mels anew each time: noise, equalizer, gain.
ROOMS_AND_CODECS = Chances(
    noise=0.0, reverb=0.65, equalizer=0.0, telephone=0.1, opus=0.35, gain=0.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackConfig:
    """What tracks are made of."""

    seconds: float
    shares: dict[str, float]  # source of voices -> how often it speaks
    dialogue_share: float  # of tracks taken from a dialogue of two, mostly silence

    def __post_init__(self) -> None:
        if self.seconds < 2 or not 0 <= self.dialogue_share <= 1:
            raise ConfigError(
                f"tracks of {self.seconds} s must have at least 2, "
                f"and dialogue_share={self.dialogue_share} must be within 0..1"
            )
        if not self.shares or min(self.shares.values()) < 0 or sum(self.shares.values()) <= 0:
            raise ConfigError(f"no source of voices has a share above 0 in {self.shares}")

    @property
    def frames(self) -> int:
        """Count the video frames of a track."""
        return round(self.seconds * FPS)

    @property
    def samples(self) -> int:
        """Count the samples of a track."""
        return round(self.seconds * SAMPLE_RATE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """A voice and its targets."""

    samples: NDArray[np.int16]  # [2, n] as recorded, and through a room or a codec
    targets: NDArray[np.float16]  # [T, 53] ARKit curves, then the lip gap in units of 10 mm
    phones: NDArray[np.uint8]  # [T] what sounds at a frame's center, an index of PHONE_NAMES
    pitch: NDArray[np.float16]  # [T] octaves above 100 Hz; NaN where unvoiced
    voice: str


class Targets(NamedTuple):
    """What a mouth does and what is heard, frame by frame."""

    curves: Floats  # [T, 53]
    phones: NDArray[np.uint8]  # [T]


def mouth_targets(phones: Sequence[Phone], voice: Floats, frames: int) -> Targets:
    """Give the targets of phones that cover the clip; `voice` [n] is what is heard of them."""
    curves = mouth_curves(phones, voice, frames)
    gap = lip_gap_mm(curves) / GAP_UNIT_MM
    ends = np.array([phone.end for phone in phones])
    centers = (np.arange(frames) + 0.5) / FPS
    names = np.array([PHONE_NAMES.index(phone.symbol) for phone in phones], np.uint8)
    at = np.minimum(np.searchsorted(ends, centers, side="right"), len(names) - 1)
    return Targets(np.concatenate([curves, gap[:, None]], axis=1), names[at])


def mouth_fingerprint() -> str:
    """Name how mouths move today: targets made with other mouths must not be mixed with these."""
    names = [name for name in PHONE_NAMES for _ in range(2)] + list(PHONE_NAMES)
    said = tuple(
        Phone(start=0.12 * k, end=0.12 * (k + 1), symbol=name) for k, name in enumerate(names)
    )
    seconds = said[-1].end
    voice = np.full(round(seconds * SAMPLE_RATE), 0.1, np.float32)
    curves = mouth_targets(said, voice, round(seconds * FPS)).curves
    # Sums over some 15 s, to a tenth: no machine's rounding reaches that far.
    return hashlib.sha256(np.round(curves.sum(0), 1).tobytes()).hexdigest()[:12]


def make_track(
    config: TrackConfig, catalogue: Catalogue, rng: np.random.Generator, source: str | None = None
) -> Track:
    """Let a voice speak, of the `source` named or of one drawn by share.

    Raises:
        SpeechError: when several voices fail.
    """
    for attempt in range(TRIES):
        try:
            return _spoken(config, catalogue, rng, source)
        except SpeechError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _spoken(
    config: TrackConfig, catalogue: Catalogue, rng: np.random.Generator, source: str | None
) -> Track:
    is_dialogue = source is None and rng.random() < config.dialogue_share
    name = _voice(config, catalogue, rng, source)
    roles = [Role(voice=name), Role()] if is_dialogue else [Role(voice=name)]
    kind = Kind.MONOLOGUE if source is not None else None  # who names a voice wants to hear it
    dialogue = write_dialogue(roles, config.seconds, rng, catalogue, kind)
    voice = dialogue.voice(0)
    targets = mouth_targets(dialogue.phones(0), voice, config.frames)
    heard = dialogue.track(0)
    pitch = pitch_hz(voice, config.frames)
    octaves = np.where(pitch > 0, np.log2(np.maximum(pitch, 1) / 100), np.nan)
    changed = augment(heard, rng, ROOMS_AND_CODECS)
    return Track(
        samples=np.round(np.stack([heard, changed]) * 32767).astype(np.int16),
        targets=targets.curves.astype(np.float16),
        phones=targets.phones,
        pitch=octaves.astype(np.float16),
        voice=f"{name} ({dialogue.kind})",
    )


def _voice(
    config: TrackConfig, catalogue: Catalogue, rng: np.random.Generator, source: str | None
) -> str:
    """Draw a voice's name: first a source by share, then one of its voices."""
    there = sorted({voice.source for voice in catalogue.voices})
    shares = np.array([config.shares.get(each, 0.0) for each in there])
    if source is None:
        if shares.sum() == 0:
            raise ConfigError(f"none of {sorted(config.shares)} is installed; there are {there}")
        source = there[int(rng.choice(len(there), p=shares / shares.sum()))]
    named = [voice.name for voice in catalogue.voices if voice.source == source]
    return named[int(rng.integers(len(named)))]
