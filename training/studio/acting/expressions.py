"""Faces that a prompt can name, as ARKit coefficients, and how they come and go.

The lips stay together in all of them: who does not speak keeps the mouth shut. Only a laugh that
is heard opens it, through its phones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from training.studio.acting.viseme_shapes import arkit_vector
from training.studio.performance_data import ARKIT, Act, Floats

RISE_FRAMES = 4.0  # standard deviation of the Gaussian that an expression comes and goes with
SPEECH_YIELD = 0.35  # how much of its mouth an expression gives up to speech

# At rest people look friendly, not stern.
REST = arkit_vector(browInnerUp=0.16, browOuterUp=0.07, Smile=0.06, eyeWide=0.04)

EXPRESSIONS: dict[str, Floats] = {
    "smiling": arkit_vector(Smile=0.6, cheekSquint=0.4, eyeSquint=0.16, Dimple=0.16),
    "laughing": arkit_vector(Smile=0.85, cheekSquint=0.7, eyeSquint=0.4, browOuterUp=0.2),
    "sad": arkit_vector(Frown=0.7, browInnerUp=0.9, eyeSquint=0.16, mouthShrugLower=0.3),
    "angry": arkit_vector(browDown=0.9, noseSneer=0.4, Press=0.35, Frown=0.3, eyeSquint=0.35),
    "surprised": arkit_vector(browInnerUp=0.85, browOuterUp=0.95, eyeWide=0.85),
    "disgusted": arkit_vector(
        noseSneer=0.85, browDown=0.45, Frown=0.35, eyeSquint=0.3, mouthShrugUpper=0.3
    ),
    "skeptical": arkit_vector(
        browDownLeft=0.6, browOuterUpRight=0.8, mouthLeft=0.28, Press=0.25, eyeSquintLeft=0.2
    ),
    "worried": arkit_vector(browInnerUp=0.9, Stretch=0.3, eyeWide=0.28, Press=0.15),
}

MOUTH = np.array([name.startswith(("mouth", "jaw", "tongue")) for name in ARKIT])
SPEECH_OWNED = np.array(
    [name.startswith(("mouthPress", "mouthShrug", "jaw", "mouthRoll")) for name in ARKIT]
)

FloatArray = NDArray[np.float64]


def expression_curves(
    acts: Sequence[Act], frames: int, talking: FloatArray, rng: np.random.Generator
) -> Floats:
    """Give [T, 52] the face's expressions, rest included; `talking` [T], 0..1, takes the mouth.

    An expression is never quite still: its strength wavers by a tenth over a second or so.
    """
    curves = np.tile(REST.astype(np.float64), (frames, 1))
    waver = 1 + 0.1 * smooth_noise(frames, 18.0, rng)
    for act in acts:
        shape = EXPRESSIONS.get(act.name)
        if shape is None:
            continue
        amount = act_amount(act, frames, RISE_FRAMES) * waver
        difference = shape - np.where(shape > 0, REST, 0)
        curves += amount[:, None] * difference
    yielding = np.where(SPEECH_OWNED, 1.0, np.where(MOUTH, SPEECH_YIELD, 0.0))
    curves *= 1 - talking[:, None] * yielding
    return curves.clip(0, 1).astype(np.float32)


def act_amount(act: Act, frames: int, rise_frames: float) -> FloatArray:
    """Give [T] an act's strength over time, with soft edges inside the clip."""
    amount = np.zeros(frames)
    amount[act.start_frame : act.end_frame] = act.strength
    soft: FloatArray = gaussian_filter1d(amount, rise_frames, mode="nearest")
    return soft


def smooth_noise(frames: int, sigma_frames: float, rng: np.random.Generator) -> FloatArray:
    """Draw [T] smooth noise of unit variance that keeps for about `sigma_frames`."""
    margin = int(4 * sigma_frames)
    white = rng.normal(size=frames + 2 * margin)
    smooth = gaussian_filter1d(white, sigma_frames)[margin : margin + frames]
    unit: FloatArray = smooth * np.sqrt(2 * np.sqrt(np.pi) * sigma_frames)
    return unit
