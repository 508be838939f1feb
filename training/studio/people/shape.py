"""The resting body of an identity: MakeHuman's macro targets plus about ninety face traits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.studio.people.identity import Identity
from training.studio.people.library import Library
from training.studio.people.regions import EYE_VERTICES, LOWER_LIP, UPPER_LIP
from training.studio.performance_data import ARKIT

# Strength of a trait: normal with this deviation, cut at the limit. Wider makes caricatures.
_DEVIATION = 0.27
_LIMIT = 0.55

# Traits that need less room than the rest, or none: whole parts shifted out of place.
_DAMPED = {
    "head/trans": 0.0,
    "neck/trans": 0.0,
    "head/angle": 0.4,
    "head/age": 0.4,
    "head/fat": 0.6,
    "head/scale-vert": 0.7,
    "head/scale-depth": 0.6,
    "nose/trans": 0.25,
    "nose/hump": 0.6,
    "nose/greek": 0.5,
    "nose/scale-vert": 0.7,
    "nose/scale-depth": 0.7,
    "nose/septumangle": 0.6,
    "mouth/trans": 0.2,
    "mouth/scale-depth": 0.5,
    "mouth/lowerlip-middle": 0.5,
    "mouth/upperlip-middle": 0.5,
    "chin/prognathism": 0.4,
    "chin/jaw-drop": 0.5,
    "chin/cleft": 0.5,
    "eyes/eye-push1": 0.5,
    "eyes/eye-push2": 0.5,
    "eyes/eye-corner1": 0.6,
    "eyes/eye-corner2": 0.6,
    "eyes/eye-trans": 0.3,
    "eyes/eye-eyefold-angle": 0.5,
    "eyebrows/angle": 0.5,
    "eyebrows/trans": 0.7,
    "ears/ear-trans": 0.3,
    "ears/ear-flap": 0.5,
    "ears/ear-wing": 0.7,
    "forehead/nubian": 0.5,
    "neck/double": 0.4,
    "neck/measure-neck-height": 0.4,
}
# The mean face of the base is stern: heavy lids, low brows, lip corners that hang.
_FRIENDLY = {
    "eyes/eye-scale": 0.28,
    "eyes/eye-height2": 0.30,
    "eyes/eye-bag": -0.25,
    "eyebrows/trans": 0.15,
    "eyebrows/angle": 0.14,  # brings the outer ends down
    "mouth/angles": 0.3,
    "mouth/laugh-lines": 0.05,
    "nose/scale-horiz": -0.08,
    "nose/volume": -0.1,
    "forehead/nubian": -0.05,
}

# The trait that lifts brows also pushes them forward, where they throw a scowl's shadow.
_TARGET_SHARES = {
    "eyebrows/eyebrows-trans-forward": 0.0,
    "eyebrows/eyebrows-trans-backward": 0.4,
}
# Faces whose traits add up to a scowl are softened with their own face units: how high the inner
# brow stands over the eyes and the corners of the mouth over its middle, in meters, and the most
# that a unit may be raised to get there. Most faces get some lift, few get all of it.
_INNER_BROW, _MOUTH_CORNER = 6983, 7272
_BROW_HEIGHT_M, _BROW_LIFT = 0.0160, 0.75
_CORNER_HEIGHT_M, _CORNER_LIFT = 0.0016, 0.16


def trait_strengths(shape_seed: int, keys: tuple[str, ...]) -> dict[str, float]:
    """Sample every trait's strength, -1..1; negative leans to the trait's low end."""
    rng = np.random.default_rng((shape_seed, 0x5A))
    drawn = np.clip(rng.normal(0.0, _DEVIATION, len(keys)), -_LIMIT, _LIMIT)
    return {
        key: float(x) * _DAMPED.get(key, 1.0) + _FRIENDLY.get(key, 0.0)
        for key, x in zip(keys, drawn, strict=True)
    }


def macro_weights(identity: Identity) -> dict[str, float]:
    """Give the weights of the macro targets: heritage x gender x age and build x gender x age."""
    # Both genders keep a little of the other, as everyone does.
    male = 0.95 if identity.gender == "male" else 0.05
    old = (identity.age - 0.5) * 2
    muscle, weight = identity.muscle, identity.weight
    builds = _ends("muscle", muscle), _ends("weight", weight)
    found: dict[str, float] = {}
    for gender, gender_share in (("male", male), ("female", 1 - male)):
        for age, age_share in (("young", 1 - old), ("old", old)):
            share = gender_share * age_share
            names = ("caucasian", "asian", "african")
            for name, part in zip(names, identity.mixture, strict=True):
                found[f"macro/{name}-{gender}-{age}"] = share * part
            for m_name, m_share in builds[0].items():
                for w_name, w_share in builds[1].items():
                    key = f"macro/universal-{gender}-{age}-{m_name}-{w_name}"
                    found[key] = share * m_share * w_share
    return {name: value for name, value in found.items() if value > 1e-4}


def _ends(what: str, value: float) -> dict[str, float]:
    away = abs(value - 0.5) * 2
    end = "max" if value > 0.5 else "min"
    return {f"average{what}": 1 - away, f"{end}{what}": away}


def rest_body(identity: Identity, library: Library) -> NDArray[np.float32]:
    """Give the base mesh's vertices [N, 3] for one person at rest, in meters."""
    vertices = library.base.vertices.copy()
    for name, value in macro_weights(identity).items():
        library.target(name).add_to(vertices, value)
    keys = tuple(trait.key for trait in library.traits)
    strengths = trait_strengths(identity.shape_seed, keys)
    for trait in library.traits:
        strength = strengths[trait.key]
        for name in trait.high if strength > 0 else trait.low:
            share = _TARGET_SHARES.get(name, 1.0)
            library.target(name).add_to(vertices, abs(strength) * share)
    return _softened(vertices, library)


def _softened(vertices: NDArray[np.float32], library: Library) -> NDArray[np.float32]:
    """Raise the inner brows and mouth corners of a face [N, 3] that would look cross at rest."""
    brow = vertices[_INNER_BROW, 1] - vertices[EYE_VERTICES[0], 1].mean()
    corner = vertices[_MOUTH_CORNER, 1] - vertices[[UPPER_LIP, LOWER_LIP], 1].mean()
    lifts = (
        (("browInnerUp",), _INNER_BROW, _BROW_HEIGHT_M - brow, _BROW_LIFT),
        (
            ("mouthSmileLeft", "mouthSmileRight"),
            _MOUTH_CORNER,
            _CORNER_HEIGHT_M - corner,
            _CORNER_LIFT,
        ),
    )
    softened = vertices.copy()
    for names, vertex, missing, most in lifts:
        unit = sum(library.units[ARKIT.index(name)] for name in names)
        softened += np.float32(np.clip(missing / unit[vertex, 1], 0.0, most)) * unit
    return softened
