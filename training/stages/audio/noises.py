"""Sounds that move no mouth: the studio's noises, and music where it is installed.

Music: Debian `asterisk-moh-opsound-g722`, five pieces under CC-BY-SA-3.0; the last one in the
alphabet is for tests. Without it the studio's own plucked melodies stand in.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from training.studio.performance_data import SAMPLE_RATE, Floats
from training.studio.speech.noise import SOUNDS
from training.studio.speech.recordings import decode_g722
from training.studio.speech.sentences import Split

MUSIC = Path("/usr/share/asterisk/moh")
MUSIC_CHANCE = 0.3
LEVEL_DB = (-30.0, 0.0)  # below a peak of 0.9


def draw_noise(samples: int, split: Split, rng: np.random.Generator) -> Floats:
    """Draw a clip [n] of one noise, or of a random part of a piece of music."""
    pieces = music_paths(split)
    if pieces and rng.random() < MUSIC_CHANCE:
        piece = _decoded(pieces[int(rng.integers(len(pieces)))])
        first = int(rng.integers(max(len(piece) - samples, 1)))
        clip = np.resize(piece[first : first + samples], samples)
    else:
        name = sorted(SOUNDS)[int(rng.integers(len(SOUNDS)))]
        clip = np.resize(SOUNDS[name](samples / SAMPLE_RATE, rng), samples)
    level = 0.9 * 10 ** (float(rng.uniform(*LEVEL_DB)) / 20)
    return np.asarray(clip * (level / max(float(np.abs(clip).max()), 1e-6)), np.float32)


def music_paths(split: Split) -> list[Path]:
    """List the pieces of music of a split; none where none is installed."""
    there = sorted(MUSIC.glob("*.g722"))
    return there[-1:] if split == "test" else there[:-1]


@cache
def _decoded(path: Path) -> Floats:
    piece = decode_g722(path)
    piece.setflags(write=False)
    return piece
