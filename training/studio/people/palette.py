"""Named colors of skin, hair, eyes and cloth, as linear light RGB in 0..1."""

from __future__ import annotations

from typing import NamedTuple

RGB = tuple[float, float, float]


class Swatch(NamedTuple):
    """A color and the words for it."""

    name: str
    rgb: RGB


def from_display(red: int, green: int, blue: int) -> RGB:
    """Turn display values (0..255, gamma 2) into linear light."""
    return ((red / 255) ** 2, (green / 255) ** 2, (blue / 255) ** 2)


# From fair to deep. Ranges per heritage below overlap on purpose.
SKIN = (
    Swatch("very fair", from_display(220, 163, 137)),
    Swatch("fair", from_display(212, 153, 124)),
    Swatch("light", from_display(200, 143, 111)),
    Swatch("light olive", from_display(194, 148, 115)),
    Swatch("tan", from_display(178, 129, 97)),
    Swatch("olive brown", from_display(168, 120, 88)),
    Swatch("brown", from_display(142, 96, 70)),
    Swatch("dark brown", from_display(112, 74, 54)),
    Swatch("deep brown", from_display(88, 58, 44)),
)
SKIN_RANGE = {
    "European": (0, 4),
    "Asian": (1, 5),
    "African": (6, 9),
    "mixed": (3, 7),
}

HAIR = (
    Swatch("black", (0.012, 0.010, 0.009)),
    Swatch("dark brown", (0.035, 0.020, 0.012)),
    Swatch("brown", (0.085, 0.045, 0.022)),
    Swatch("light brown", (0.17, 0.098, 0.048)),
    Swatch("dark blond", (0.27, 0.18, 0.085)),
    Swatch("blond", (0.44, 0.31, 0.15)),
    Swatch("red", (0.27, 0.085, 0.025)),
    Swatch("auburn", (0.13, 0.04, 0.018)),
    Swatch("gray", (0.27, 0.26, 0.25)),
    Swatch("white", (0.55, 0.54, 0.52)),
    Swatch("blue", (0.03, 0.09, 0.28)),
    Swatch("pink", (0.48, 0.13, 0.24)),
    Swatch("teal", (0.02, 0.19, 0.18)),
)
NATURAL_HAIR = 8  # the first so many are what people are born with
DYED_HAIR = (10, 11, 12)
GRAY_HAIR = (8, 9)

EYES = (
    Swatch("dark brown", (0.060, 0.028, 0.012)),
    Swatch("brown", (0.115, 0.055, 0.022)),
    Swatch("amber", (0.20, 0.105, 0.030)),
    Swatch("hazel", (0.16, 0.115, 0.045)),
    Swatch("green", (0.10, 0.155, 0.075)),
    Swatch("blue", (0.085, 0.170, 0.30)),
    Swatch("light blue", (0.17, 0.27, 0.37)),
    Swatch("gray", (0.18, 0.21, 0.23)),
)

CLOTH = (
    Swatch("navy", (0.014, 0.025, 0.085)),
    Swatch("white", (0.62, 0.62, 0.60)),
    Swatch("charcoal", (0.040, 0.042, 0.047)),
    Swatch("red", (0.34, 0.025, 0.030)),
    Swatch("green", (0.035, 0.150, 0.060)),
    Swatch("teal", (0.02, 0.17, 0.18)),
    Swatch("burgundy", (0.135, 0.014, 0.035)),
    Swatch("mustard", (0.42, 0.24, 0.03)),
    Swatch("lavender", (0.30, 0.24, 0.44)),
    Swatch("sky blue", (0.17, 0.34, 0.55)),
    Swatch("black", (0.013, 0.013, 0.014)),
    Swatch("beige", (0.44, 0.35, 0.24)),
    Swatch("orange", (0.50, 0.15, 0.03)),
    Swatch("pink", (0.52, 0.22, 0.27)),
    Swatch("gray", (0.20, 0.20, 0.21)),
    Swatch("olive", (0.11, 0.12, 0.045)),
)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Blend two colors; share 0 gives the first."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)
