"""Paint one person's skin: tone, lips, cheeks, freckles and the inside of the mouth.

A painted picture is uint8 [H, W, 4]: RGB at gamma 2, and in alpha how glossy the skin is, where 0
marks the inside of the mouth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.studio.people.identity import Identity
from training.studio.people.library import Library, Pixels
from training.studio.people.regions import LOWER_LIP, vertex_uv

Floats = NDArray[np.float32]

SIZE = 1024
_GLOSS, _LIP_GLOSS = 0.45, 0.95
_MOUTH = np.array([0.20, 0.040, 0.038], np.float32)
# The part of the texture that holds the face, as shares of rows (from the bottom) and columns.
_FACE_ROWS, _FACE_COLUMNS = (0.38, 0.62), (0.78, 0.95)


def skin_picture(identity: Identity, library: Library) -> str:
    """Choose the photographic skin that suits an identity's age and complexion."""
    age = "young" if identity.age < 0.64 else "middleage" if identity.age < 0.8 else "old"
    is_dark = identity.skin[1] < 0.13
    names = library.skins(age, "darkskinned" if is_dark else "lightskinned", identity.gender)
    return names[identity.shape_seed % len(names)]


def paint_skin(identity: Identity, library: Library) -> Pixels:
    """Paint a skin, [1024, 1024, 4]."""
    source = library.picture(skin_picture(identity, library), SIZE)
    light = (source[..., :3].astype(np.float32) / 255) ** 2
    rows, columns = (slice(int(a * SIZE), int(b * SIZE)) for a, b in (_FACE_ROWS, _FACE_COLUMNS))
    mean = np.median(light[rows, columns].reshape(-1, 3), 0)
    tint = light / mean
    # The picture gives the detail, the identity the tone: most of its own hue is dropped.
    value = tint @ np.array([0.3, 0.5, 0.2], np.float32)
    tint = 0.45 * tint + 0.55 * value[..., None]
    skin = np.array(identity.skin, np.float32)
    color = skin * np.clip(1 + 0.85 * (tint - 1), 0.35, 1.6)
    color *= _blush(library)
    color *= 1 - identity.freckles * _freckles(identity.shape_seed, library)
    lips = _mask(library, "lips") * np.float32(identity.lip_amount)
    shaded = np.array(identity.lip, np.float32) * np.clip(tint, 0.6, 1.25)
    color += lips[..., None] * (shaded - color)
    mouth = _mask(library, "inside-mouth")
    color += mouth[..., None] * (_MOUTH - color)
    gloss = _GLOSS + (_LIP_GLOSS - _GLOSS) * _mask(library, "lips")
    gloss = np.maximum(gloss * (1 - mouth), (mouth < 0.5) * 0.05)
    out = np.empty((SIZE, SIZE, 4), np.float32)
    out[..., :3] = np.sqrt(np.clip(color, 0, 1))
    out[..., 3] = gloss
    return (out * 255 + 0.5).astype(np.uint8)


def _mask(library: Library, name: str) -> Floats:
    mask = library.picture(f"masks/mpfb_{name}.jpg", SIZE)[..., 0]
    return np.asarray(mask / np.float32(255), np.float32)


def _face_spot(library: Library, along: float, across: float, width: float) -> Floats:
    """Give a soft spot on the face, placed from the lower lip; left and right alike.

    The face lies sideways in the texture: +column goes down the face, rows go across it.
    """
    column, row = vertex_uv(library)[LOWER_LIP]
    y, x = np.ogrid[:SIZE, :SIZE]
    down = x / SIZE - column - along
    spots = [
        np.exp(-((down / width) ** 2) - ((y / SIZE - row - s * across) / width) ** 2)
        for s in (1, -1)
    ]
    return np.asarray(spots[0] + spots[1], np.float32)


def _blush(library: Library) -> Floats:
    cheeks = _face_spot(library, -0.035, 0.052, 0.030)[..., None]
    return np.asarray(1 - cheeks * np.array([0.0, 0.10, 0.09]), np.float32)


def _freckles(seed: int, library: Library) -> Floats:
    rng = np.random.default_rng((seed, 0xF7))
    dots = gaussian_filter(rng.random((SIZE, SIZE), np.float32), 1.6)
    dots = np.clip((dots - dots.mean()) / dots.std() - 1.4, 0, 1)
    area = np.clip(_face_spot(library, -0.05, 0.03, 0.04), 0, 1)
    strength = np.array([0.25, 0.42, 0.5], np.float32)
    return np.asarray((dots * area)[..., None] * strength, np.float32)
