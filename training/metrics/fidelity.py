"""How close a video is to the true one, where there is a true one: PSNR and SSIM.

There is no LPIPS: its networks ship in no package, only in downloads. Both scores are also given
for the mouths alone, because a background that never changes flatters the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from models.errors import InputError

Floats = NDArray[np.float64]

PEAK = 255.0
SSIM_SIGMA_PX = 1.5
SSIM_TRUNCATE = 3.5  # sigmas: a window of 11 pixels
SSIM_K1, SSIM_K2 = 0.01, 0.03
MOUTH_PART = 0.45  # side of the square around a mouth, of face height
MOUTH_DOWN = 0.22  # its center below the face's, of face height
MAX_PSNR = 100.0  # given to equal pictures, so that means stay finite


class Likeness(NamedTuple):
    """Likeness of two pictures or videos."""

    psnr_db: float  # mean over frames; 100 for equal pictures
    ssim: float


class Fidelity(NamedTuple):
    """Likeness of a video to the truth."""

    frames: int
    picture: Likeness
    mouths: Likeness | None  # None when no mouth was seen


class FidelityMeter:
    """Compares two videos frame by frame; keeps four numbers a frame."""

    def __init__(self) -> None:
        self._pictures: list[Likeness] = []
        self._mouths: list[Likeness] = []

    def add(
        self, picture: Image.Image, truth: Image.Image, faces: Iterable[tuple[float, float, float]]
    ) -> None:
        """Compare a frame; faces are center x, center y and height in pixels.

        Raises:
            InputError: when the pictures differ in size.
        """
        if picture.size != truth.size:
            raise InputError(
                f"the truth is {truth.size[0]}x{truth.size[1]} but the video is "
                f"{picture.size[0]}x{picture.size[1]}; give a truth of the same size"
            )
        ours, theirs = np.asarray(picture), np.asarray(truth)
        self._pictures.append(likeness(ours, theirs))
        for x, y, height in faces:
            area = _mouth_area(x, y, height, picture.size)
            if min(ours[area].shape[:2]) >= 8:
                self._mouths.append(likeness(ours[area], theirs[area]))

    def fidelity(self) -> Fidelity | None:
        """Give the scores so far; None before the first frame."""
        if not self._pictures:
            return None
        mouths = _mean(self._mouths) if self._mouths else None
        return Fidelity(len(self._pictures), _mean(self._pictures), mouths)


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Likeness:
    """Compare two pictures [height, width, 3]: PSNR over RGB, SSIM over brightness."""
    error = float(((first.astype(np.float64) - second) ** 2).mean())
    psnr = min(MAX_PSNR, 10 * np.log10(PEAK**2 / error)) if error else MAX_PSNR
    return Likeness(float(psnr), ssim(_gray(first), _gray(second)))


def ssim(first: Floats, second: Floats) -> float:
    """Give the mean structural similarity of two gray pictures, 0..255.

    Source: Wang et al. 2004, equations 12 to 16, with the paper's Gaussian window.
    """
    c1, c2 = (SSIM_K1 * PEAK) ** 2, (SSIM_K2 * PEAK) ** 2

    def blur(values: Floats) -> Floats:
        out: Floats = gaussian_filter(values, SSIM_SIGMA_PX, truncate=SSIM_TRUNCATE)
        return out

    mean_a, mean_b = blur(first), blur(second)
    var_a = blur(first * first) - mean_a**2
    var_b = blur(second * second) - mean_b**2
    shared = blur(first * second) - mean_a * mean_b
    structure = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    return float((structure / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _gray(picture: NDArray[np.uint8]) -> Floats:
    gray: Floats = picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return gray


def _mouth_area(x: float, y: float, height: float, size: tuple[int, int]) -> tuple[slice, slice]:
    half = MOUTH_PART * height / 2
    y += MOUTH_DOWN * height
    rows, columns = (
        (max(0, int(c - half)), min(n, int(c + half)))
        for c, n in zip((y, x), size[::-1], strict=True)
    )
    return slice(*rows), slice(*columns)


def _mean(likenesses: list[Likeness]) -> Likeness:
    psnr, structure = np.array(likenesses, np.float64).mean(0)
    return Likeness(float(psnr), float(structure))
