"""What each sound looks like on the lips, in ARKit coefficients, and how strongly it insists.

The 22 classes are those of common viseme sets; the amounts suit the studio's heads, where `jawOpen`
1.0 is a yawn and speech stays under 0.6. Rounding stays under 0.5: beyond it the lower lip folds to
a point, which no mouth does and which a reader of landmarks takes for a closed one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.studio.performance_data import ARKIT, Floats

_PAIRED = {"Smile", "Stretch", "Press", "LowerDown", "UpperUp", "Dimple", "Frown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viseme:
    """A mouth shape and its dominance, relative to an open vowel's 1.0."""

    shape: Floats  # [52], read-only
    dominance: float


def arkit_vector(**amounts: float) -> Floats:
    """Make a vector [52] from names; a name without Left or Right sets both sides.

    A mouth unit may drop its prefix: `Press=0.4` sets mouthPressLeft and mouthPressRight.
    """
    vector = np.zeros(len(ARKIT), np.float32)
    for name, amount in amounts.items():
        full = f"mouth{name}" if name in _PAIRED else name
        names = [full] if full in ARKIT else [f"{full}Left", f"{full}Right"]
        for unit in names:
            vector[ARKIT.index(unit)] = amount
    return vector


def _viseme(dominance: float, **amounts: float) -> Viseme:
    shape = arkit_vector(**amounts)
    shape.setflags(write=False)
    return Viseme(shape=shape, dominance=dominance)


_REST = _viseme(0.8)
_CLOSED = _viseme(7.0, jawOpen=0.07, mouthClose=0.07, Press=0.4, mouthRollLower=0.16)
_LIP_TO_TEETH = _viseme(4.0, jawOpen=0.09, mouthRollLower=0.5, UpperUp=0.26, mouthShrugLower=0.22)
_DENTAL = _viseme(1.0, jawOpen=0.16, LowerDown=0.2, tongueOut=0.3)
_ALVEOLAR = _viseme(0.6, jawOpen=0.14, LowerDown=0.2, Stretch=0.1, UpperUp=0.06)
_LATERAL = _viseme(0.7, jawOpen=0.2, LowerDown=0.2, Stretch=0.08, tongueOut=0.08)
_HISS = _viseme(1.1, jawOpen=0.07, LowerDown=0.26, UpperUp=0.12, Stretch=0.24)
_HUSH = _viseme(1.8, jawOpen=0.11, mouthFunnel=0.28, mouthPucker=0.08, LowerDown=0.1)
_VELAR = _viseme(0.45, jawOpen=0.2, LowerDown=0.12)
_RHOTIC = _viseme(1.0, jawOpen=0.16, mouthFunnel=0.15, mouthPucker=0.12)
_GLIDE_W = _viseme(2.2, jawOpen=0.08, mouthPucker=0.46, mouthFunnel=0.05)
_UW = _viseme(1.8, jawOpen=0.13, mouthPucker=0.36, mouthFunnel=0.12)
_UH = _viseme(1.0, jawOpen=0.2, mouthPucker=0.16, mouthFunnel=0.12)
_OW = _viseme(1.0, jawOpen=0.3, mouthFunnel=0.25, mouthPucker=0.17)
_AO = _viseme(1.0, jawOpen=0.42, mouthFunnel=0.18, mouthPucker=0.05)
_AA = _viseme(1.0, jawOpen=0.55, LowerDown=0.16)
_AE = _viseme(1.0, jawOpen=0.46, Stretch=0.24, LowerDown=0.24, UpperUp=0.14)
_AH = _viseme(1.0, jawOpen=0.34, LowerDown=0.12)
_AX = _viseme(0.6, jawOpen=0.23, LowerDown=0.1)
_EH = _viseme(1.0, jawOpen=0.34, Stretch=0.22, LowerDown=0.22, UpperUp=0.08)
_IH = _viseme(1.0, jawOpen=0.22, Stretch=0.2, Smile=0.1, LowerDown=0.18)
_IY = _viseme(1.0, jawOpen=0.15, Stretch=0.26, Smile=0.26, LowerDown=0.22, UpperUp=0.1)

# A diphthong is not here: it is split into its two vowels first.
VISEMES: dict[str, Viseme] = {
    "SIL": _REST,
    **dict.fromkeys(("P", "B", "M"), _CLOSED),
    **dict.fromkeys(("F", "V"), _LIP_TO_TEETH),
    **dict.fromkeys(("TH", "DH"), _DENTAL),
    **dict.fromkeys(("T", "D", "N"), _ALVEOLAR),
    **dict.fromkeys(("S", "Z"), _HISS),
    **dict.fromkeys(("SH", "ZH", "CH", "JH"), _HUSH),
    **dict.fromkeys(("K", "G", "NG", "HH"), _VELAR),
    **dict.fromkeys(("R", "ER"), _RHOTIC),
    **{"L": _LATERAL, "W": _GLIDE_W, "Y": _IY, "UW": _UW, "UH": _UH, "OW": _OW, "AO": _AO},
    **{"AA": _AA, "AE": _AE, "AH": _AH, "AX": _AX, "EH": _EH, "IH": _IH, "IY": _IY},
}


def _time_constants() -> Floats:
    seconds = np.full(len(ARKIT), 0.042, np.float32)  # jaw and lip corners
    for name in ("mouthPucker", "mouthFunnel"):
        seconds[ARKIT.index(name)] = 0.075  # rounding is anticipated from further away
    closures = ("mouthClose", "mouthPressLeft", "mouthPressRight", "mouthRollLower")
    for name in (*closures, "mouthRollUpper"):
        seconds[ARKIT.index(name)] = 0.028  # a closure is quick
    seconds.setflags(write=False)
    return seconds


DOMINANCE_SECONDS = _time_constants()  # [52]
