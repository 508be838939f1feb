"""What people can wear on head and body: names of meshes, whom they suit, how they are colored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Gender = Literal["female", "male"]

BROWS = tuple(f"eyebrow{n:03d}" for n in (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12))
LASHES = ("Eyelashes01", "eyelashes02", "eyelashes03", "eyelashes04")


class Denominators(NamedTuple):
    """Distances on the mesh that a proxy was made on, in meters (x_scale... of its .mhclo)."""

    x: float
    y: float
    z: float


# Most proxies were made on one body; a few on the base mesh itself or on others.
MADE_ON_DEFAULT = Denominators(0.14340, 0.24098, 0.20001)
MADE_ON = {
    "short04": Denominators(0.14801, 0.23298, 0.19222),
    "afro01": Denominators(0.14801, 0.23298, 0.19222),
    "eyelashes02": Denominators(0.14801, 0.23298, 0.19222),
    "eyelashes03": Denominators(0.14801, 0.23298, 0.19222),
    "eyelashes04": Denominators(0.14801, 0.23298, 0.19222),
    "long01": Denominators(0.13980, 0.22048, 0.18461),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HairStyle:
    """A cut: a mesh, or fur grown on the scalp (`fur_m` deep), or both or neither."""

    phrase: str  # "{color}" is filled in by the prompt writer
    mesh: str | None
    fur_m: float
    female: float  # relative chance
    male: float
    is_curly: bool = False
    has_fringe: bool = False  # hangs over an eye unless it is cut at the brows


HAIR: dict[str, HairStyle] = {
    "bald": HairStyle(phrase="a bald head", mesh=None, fur_m=0.0, female=0.0, male=0.06),
    "buzz": HairStyle(phrase="a buzz cut", mesh=None, fur_m=0.005, female=0.02, male=0.14),
    "cropped": HairStyle(
        phrase="cropped {color} hair", mesh=None, fur_m=0.012, female=0.04, male=0.14
    ),
    "curls": HairStyle(
        phrase="short curly {color} hair",
        mesh=None,
        fur_m=0.014,
        female=0.08,
        male=0.10,
        is_curly=True,
    ),
    "afro": HairStyle(
        phrase="a short {color} afro", mesh="afro01", fur_m=0.0, female=0.04, male=0.06
    ),
    "side_part": HairStyle(
        phrase="short {color} hair", mesh="short01", fur_m=0.004, female=0.0, male=0.12
    ),
    "short": HairStyle(
        phrase="short {color} hair", mesh="short02", fur_m=0.004, female=0.0, male=0.18
    ),
    "swept": HairStyle(
        phrase="swept {color} hair",
        mesh="short03",
        fur_m=0.004,
        female=0.08,
        male=0.03,
        has_fringe=True,
    ),
    "slick": HairStyle(
        phrase="slicked-back {color} hair", mesh="short04", fur_m=0.004, female=0.0, male=0.13
    ),
    "bob": HairStyle(
        phrase="a {color} bob", mesh="bob02", fur_m=0.0, female=0.10, male=0.0, has_fringe=True
    ),
    "braid": HairStyle(phrase="a {color} braid", mesh="Braid01", fur_m=0.0, female=0.15, male=0.0),
    "long": HairStyle(phrase="long {color} hair", mesh="long01", fur_m=0.0, female=0.24, male=0.02),
    "ponytail": HairStyle(
        phrase="a {color} ponytail", mesh="ponytail01", fur_m=0.004, female=0.18, male=0.01
    ),
}
HAIR_MESHES = tuple(sorted({style.mesh for style in HAIR.values() if style.mesh}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Garment:
    """An upper garment and how its picture is colored.

    Pixels darker than `split` (0..1, gamma 2) take the main color and brighter ones the second;
    None colors everything with the main one. `has_logo` says that the chest carries a drawing
    which must be painted over.
    """

    phrase: str
    female: float
    male: float
    split: float | None = None
    has_logo: bool = False
    recolor: float = 1.0  # 0 keeps the picture's own colors


GARMENTS: dict[str, Garment] = {
    "female_casualsuit01": Garment(phrase="T-shirt", female=0.2, male=0.0, has_logo=True),
    "female_casualsuit02": Garment(phrase="T-shirt", female=0.2, male=0.0, has_logo=True),
    "female_elegantsuit01": Garment(phrase="blouse", female=0.2, male=0.0),
    "female_sportsuit01": Garment(phrase="sports top", female=0.1, male=0.0, has_logo=True),
    "male_casualsuit01": Garment(phrase="shirt", female=0.0, male=0.14),
    "male_casualsuit02": Garment(phrase="sweater", female=0.15, male=0.14, has_logo=True),
    "male_casualsuit03": Garment(phrase="striped shirt", female=0.0, male=0.14),
    "male_casualsuit04": Garment(phrase="T-shirt", female=0.0, male=0.14, has_logo=True),
    "male_casualsuit05": Garment(phrase="jacket", female=0.15, male=0.14),
    "male_casualsuit06": Garment(phrase="T-shirt", female=0.0, male=0.12, has_logo=True),
    "male_elegantsuit01": Garment(
        phrase="suit and tie", female=0.0, male=0.12, split=0.62, recolor=0.9
    ),
    "male_worksuit01": Garment(phrase="dungarees", female=0.0, male=0.05),
}

BEARDS: dict[str, str] = {
    "none": "",
    "stubble": "stubble",
    "mustache": "a mustache",
    "goatee": "a goatee",
    "short_beard": "a short beard",
    "full_beard": "a full beard",
}
GLASSES: dict[str, str] = {
    "none": "",
    "round": "round glasses",
    "square": "square glasses",
    "thin": "thin-rimmed glasses",
}
HATS: dict[str, str] = {"none": "", "beanie": "a beanie", "headband": "a headband"}
EARRINGS: dict[str, str] = {"none": "", "studs": "ear studs", "hoops": "hoop earrings"}
