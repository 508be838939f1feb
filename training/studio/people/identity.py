"""Who a person is: every trait that the pictures show, sampled from a seed and kept as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.errors import InputError
from training.studio.people import palette
from training.studio.people.palette import RGB, mix
from training.studio.people.wardrobe import (
    BEARDS,
    BROWS,
    EARRINGS,
    GARMENTS,
    GLASSES,
    HAIR,
    HATS,
    LASHES,
    Gender,
)

Heritage = Literal["European", "Asian", "African", "mixed"]

_HERITAGES: tuple[Heritage, ...] = ("European", "Asian", "African", "mixed")
_HERITAGE_SHARES = (0.32, 0.26, 0.24, 0.18)
_OLD = 0.72  # from here on hair may be gray
_DYED = 0.008  # share of people with blue, pink or teal hair


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One person's looks. Colors are linear light RGB; names of styles are keys of `wardrobe`."""

    seed: int
    gender: Gender
    heritage: Heritage
    mixture: RGB  # shares of the European, Asian and African face, sum 1
    age: float  # 0.5 a young adult, 1 old
    weight: float  # 0 thin, 1 heavy
    muscle: float  # 0..1
    shape_seed: int  # decides the face traits
    skin_name: str
    skin: RGB
    freckles: float  # 0..1
    hair: str
    hair_color_name: str
    hair_color: RGB
    is_mirrored: bool  # the hair's parting is on the other side
    beard: str
    brow: str
    lash: str
    eye_name: str
    eye: RGB
    lip: RGB
    lip_amount: float  # 0 bare .. 1 lipstick
    garment: str
    cloth_name: str
    cloth: RGB
    second_cloth: RGB
    glasses: str
    glasses_color: RGB
    hat: str
    hat_color: RGB
    earrings: str

    def __post_init__(self) -> None:
        wanted: dict[str, Collection[str]] = {
            "hair": HAIR,
            "beard": BEARDS,
            "garment": GARMENTS,
            "glasses": GLASSES,
            "hat": HATS,
            "earrings": EARRINGS,
            "brow": BROWS,
            "lash": LASHES,
        }
        for field, known in wanted.items():
            if getattr(self, field) not in known:
                raise InputError(
                    f"Identity.{field}: expected one of {', '.join(known)}, "
                    f"got {getattr(self, field)!r}"
                )

    def to_json(self) -> str:
        """Write every field as one JSON object."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Identity:
        """Read what `to_json` wrote.

        Raises:
            InputError: when fields are missing, unknown or name unknown styles.
        """
        fields = json.loads(text)
        names = {field.name for field in dataclasses.fields(cls)}
        if set(fields) != names:
            raise InputError(
                f"identity JSON: expected the fields of Identity, "
                f"got these differences: {sorted(set(fields) ^ names)}"
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        return cls(**values)


def sample_identity(seed: int) -> Identity:
    """Make one person. The same seed always gives the same person."""
    rng = np.random.default_rng((seed, 0x1D))
    gender: Gender = "male" if rng.random() < 0.5 else "female"
    heritage = _HERITAGES[int(rng.choice(4, p=_HERITAGE_SHARES))]
    age = float(np.clip(0.5 + 0.5 * rng.beta(1.2, 2.4), 0.5, 0.93))
    skin_name, skin = _skin(rng, heritage)
    hair = _hair_style(rng, gender, heritage)
    hair_name, hair_color = _hair_color(rng, heritage, age)
    eye_name, eye = _eye(rng, heritage)
    lip, lip_amount = _lip(rng, gender, skin)
    garment = _pick(rng, {k: getattr(g, gender) for k, g in GARMENTS.items()})
    cloth = palette.CLOTH[int(rng.integers(len(palette.CLOTH)))]
    second = palette.CLOTH[int(rng.choice([1, 1, 9, 11, 14]))]
    hat = _pick(rng, {"none": 0.9, "beanie": 0.06, "headband": 0.04 if gender == "female" else 0})
    if hat != "none" and hair not in ("long", "buzz", "cropped", "slick", "short", "bald"):
        hair = "long" if gender == "female" else "cropped"
    return Identity(
        seed=seed,
        gender=gender,
        heritage=heritage,
        mixture=_mixture(rng, heritage),
        age=age,
        weight=float(rng.uniform(0.32, 0.78)),
        muscle=float(rng.uniform(0.4, 0.65)),
        shape_seed=int(rng.integers(1 << 31)),
        skin_name=skin_name,
        skin=skin,
        freckles=float(rng.uniform(0.3, 1.0)) if _has_freckles(rng, skin_name) else 0.0,
        hair=hair,
        hair_color_name=hair_name,
        hair_color=hair_color,
        is_mirrored=bool(rng.random() < 0.5),
        beard=_beard(rng, gender, hair_name),
        brow=_brow(rng, gender),
        lash=LASHES[int(rng.choice([1, 2, 3] if gender == "female" else [0]))],
        eye_name=eye_name,
        eye=eye,
        lip=lip,
        lip_amount=lip_amount,
        garment=garment,
        cloth_name=cloth.name,
        cloth=_vary(rng, cloth.rgb, 0.15),
        second_cloth=second.rgb,
        glasses=_pick(rng, {"none": 0.80, "round": 0.07, "square": 0.07, "thin": 0.06}),
        glasses_color=_glasses_color(rng),
        hat=hat,
        hat_color=palette.CLOTH[int(rng.integers(len(palette.CLOTH)))].rgb,
        earrings=_pick(
            rng,
            {"none": 0.55, "studs": 0.25, "hoops": 0.2}
            if gender == "female"
            else {"none": 0.95, "studs": 0.05},
        ),
    )


def _pick(rng: np.random.Generator, chances: dict[str, float]) -> str:
    """Pick a key with a chance proportional to its value."""
    weights = np.array(list(chances.values()), float)
    return list(chances)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _vary(rng: np.random.Generator, color: RGB, amount: float) -> RGB:
    # Brightness varies more than hue: a blond that leans to green is no blond.
    bright = rng.uniform(1 - amount, 1 + amount)
    hue = amount / 5
    red, green, blue = (float(c * bright * rng.uniform(1 - hue, 1 + hue)) for c in color)
    return (min(red, 1.0), min(green, 1.0), min(blue, 1.0))


def _mixture(rng: np.random.Generator, heritage: Heritage) -> RGB:
    if heritage == "mixed":
        shares = rng.dirichlet([1.2, 1.2, 1.2])
    else:
        # Nobody is a pure archetype: the pure targets are the most caricature-like faces.
        main = rng.uniform(0.72, 0.95)
        other = rng.dirichlet([1.0, 1.0]) * (1 - main)
        shares = np.insert(other, _HERITAGES.index(heritage), main)
    return (float(shares[0]), float(shares[1]), float(shares[2]))


def _skin(rng: np.random.Generator, heritage: Heritage) -> tuple[str, RGB]:
    low, high = palette.SKIN_RANGE[heritage]
    at = float(rng.uniform(low, high - 1))
    first = palette.SKIN[int(at)]
    second = palette.SKIN[min(int(at) + 1, len(palette.SKIN) - 1)]
    return (first if at % 1 < 0.5 else second).name, mix(first.rgb, second.rgb, at % 1)


def _has_freckles(rng: np.random.Generator, skin_name: str) -> bool:
    return bool(rng.random() < (0.25 if "fair" in skin_name else 0.04))


def _hair_style(rng: np.random.Generator, gender: Gender, heritage: Heritage) -> str:
    chances: dict[str, float] = {}
    for name, style in HAIR.items():
        chance = style.female if gender == "female" else style.male
        if style.is_curly or name == "afro":
            chance *= {"African": 3.0, "mixed": 1.5, "European": 0.35, "Asian": 0.05}[heritage]
        elif heritage == "African" and style.fur_m == 0 and name not in ("bald", "braid"):
            chance *= 0.5
        chances[name] = chance
    return _pick(rng, chances)


def _hair_color(rng: np.random.Generator, heritage: Heritage, age: float) -> tuple[str, RGB]:
    if age > _OLD and rng.random() < 0.6:
        swatch = palette.HAIR[int(rng.choice(palette.GRAY_HAIR))]
    elif rng.random() < _DYED:
        swatch = palette.HAIR[int(rng.choice(palette.DYED_HAIR))]
    else:
        shares = {
            "European": [0.08, 0.18, 0.2, 0.16, 0.12, 0.12, 0.07, 0.07],
            "mixed": [0.35, 0.3, 0.18, 0.08, 0.03, 0.02, 0.0, 0.04],
        }.get(heritage, [0.62, 0.28, 0.08, 0.0, 0.0, 0.0, 0.0, 0.02])
        swatch = palette.HAIR[int(rng.choice(palette.NATURAL_HAIR, p=shares))]
    return swatch.name, _vary(rng, swatch.rgb, 0.12)


def _eye(rng: np.random.Generator, heritage: Heritage) -> tuple[str, RGB]:
    options = {"European": range(8), "mixed": (0, 0, 1, 1, 2, 3, 4)}.get(heritage, (0, 0, 0, 1, 1))
    swatch = palette.EYES[int(rng.choice(list(options)))]
    return swatch.name, _vary(rng, swatch.rgb, 0.15)


def _lip(rng: np.random.Generator, gender: Gender, skin: RGB) -> tuple[RGB, float]:
    bare: RGB = (skin[0] * 0.80, skin[1] * 0.50, skin[2] * 0.52)
    if gender == "male" or rng.random() < 0.45:
        return bare, float(rng.uniform(0.45, 0.8))
    sticks: tuple[RGB, ...] = ((0.40, 0.05, 0.07), (0.45, 0.14, 0.15), (0.28, 0.04, 0.07))
    stick = sticks[int(rng.integers(len(sticks)))]
    return mix(bare, stick, float(rng.uniform(0.25, 0.75))), float(rng.uniform(0.7, 0.95))


def _beard(rng: np.random.Generator, gender: Gender, hair_color: str) -> str:
    dyed = {palette.HAIR[index].name for index in palette.DYED_HAIR}
    if gender == "female" or hair_color in dyed:
        return "none"
    names = list(BEARDS)
    return names[int(rng.choice(len(names), p=[0.45, 0.22, 0.06, 0.07, 0.12, 0.08]))]


def _brow(rng: np.random.Generator, gender: Gender) -> str:
    # 3, 4, 5, 8 and 11 slope steeply and make anyone look cross; 6 and 12 are pencil lines.
    soft = (1, 1, 2, 2, 9, 10) if gender == "female" else (1, 1, 2, 9, 9)
    return f"eyebrow{int(rng.choice(soft)):03d}"


def _glasses_color(rng: np.random.Generator) -> RGB:
    colors: tuple[RGB, ...] = (
        (0.010, 0.010, 0.011),
        (0.05, 0.022, 0.010),
        (0.30, 0.22, 0.10),
        (0.25, 0.26, 0.28),
        (0.02, 0.03, 0.10),
    )
    return colors[int(rng.integers(len(colors)))]
