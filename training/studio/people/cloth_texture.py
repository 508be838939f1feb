"""Color garments and grow fur: pictures that are made rather than read.

Colored pictures are uint8 [H, W, 4], RGB at gamma 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, median_filter

from training.studio.people.identity import Identity
from training.studio.people.library import Library, Pixels
from training.studio.people.regions import EYE_VERTICES
from training.studio.people.wardrobe import GARMENTS

Floats = NDArray[np.float32]

FUR_SIZE = 256
_CHEST_BELOW_EYES_M = (0.17, 0.62)
_CHEST_BESIDE_M = 0.22  # some drawings reach around to the side


def paint_cloth(identity: Identity, library: Library) -> Pixels:
    """Color a garment's picture; drawings on the chest are painted over."""
    garment = GARMENTS[identity.garment]
    proxy = library.proxy(identity.garment)
    source = library.picture(f"proxies/{proxy.texture}")
    light = (source[..., :3].astype(np.float32) / 255) ** 2
    value = np.asarray(light @ np.array([0.3, 0.5, 0.2]), np.float32)
    chest = _chest_mask(identity.garment, library, source.shape[0])
    if garment.has_logo:
        value += chest * (_smooth_cloth(value, chest > 0.5) - value)
    main = np.array(identity.cloth, np.float32)
    typical = float(np.median(value[chest > 0.5]))
    # Bright cloth shows its folds with less contrast than the dark pictures have.
    ratio = np.clip(value / max(typical, 1e-3), 0.05, 4.0) ** 0.7
    color = main * np.clip(ratio, 0.35, 1.7)[..., None]
    if garment.split is not None:
        bright = np.clip((np.sqrt(value) - garment.split + 0.08) / 0.16, 0, 1)[..., None]
        color += bright * (np.array(identity.second_cloth, np.float32) - color)
    color = light + np.float32(garment.recolor) * (color - light)
    out = np.full((*value.shape, 4), 255, np.uint8)
    out[..., :3] = np.sqrt(np.clip(color, 0, 0.8)) * 255 + 0.5
    return out


def _chest_mask(name: str, library: Library, size: int) -> Floats:
    """Draw the garment's front, between collar and belt, into its texture."""
    proxy = library.proxy(name)
    vertices = proxy.fit(library.base.vertices)
    points = vertices[proxy.corners.positions].mean(1)
    below = float(library.base.vertices[EYE_VERTICES[0], 1].mean()) - points[:, 1]
    low, high = _CHEST_BELOW_EYES_M
    front = (
        (below > low)
        & (below < high)
        & (np.abs(points[:, 0]) < _CHEST_BESIDE_M)
        & (points[:, 2] > -0.02)
    )
    image = Image.new("L", (size, size))
    draw = ImageDraw.Draw(image)
    for corners in proxy.uv[proxy.corners.uv[front]] * size:
        draw.polygon([(float(u), float(v)) for u, v in corners], fill=255)
    mask = np.asarray(image, np.float32) / 255
    return np.asarray(gaussian_filter(mask, size / 256), np.float32)


def _smooth_cloth(value: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Keep cloth that is near the usual brightness and paint over the rest."""
    usual = float(np.median(value[inside]))
    odd = (np.abs(value / usual - 1) > 0.2).astype(np.float32)
    odd = np.clip(gaussian_filter(odd, 3) * 3, 0, 1)
    calm = gaussian_filter(median_filter(np.clip(value, usual * 0.85, usual * 1.15), 9), 8)
    return np.asarray(value + odd * (calm - value), np.float32)


def fur_density(seed: int = 7) -> Pixels:
    """Make a repeating picture [256, 256, 2] of how far hairs reach: straight, curly.

    Values are spread evenly over 0..255, so that a threshold t leaves a share 1 - t / 255.
    """
    rng = np.random.default_rng(seed)
    straight = gaussian_filter(rng.random((FUR_SIZE, FUR_SIZE)), 0.7, mode="wrap")
    curly = gaussian_filter(rng.random((FUR_SIZE, FUR_SIZE)), 3.2, mode="wrap")
    curly = curly / curly.std() + 0.35 * straight / straight.std()
    layers = []
    for layer in (straight, curly):
        rank = np.empty(layer.size)
        rank[np.argsort(layer, axis=None)] = np.linspace(0, 255, layer.size)
        layers.append(rank.reshape(layer.shape))
    return np.stack(layers, -1).astype(np.uint8)
