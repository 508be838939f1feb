"""Is it still the same person: distances between dlib's face descriptors.

The descriptor network is dlib's; the face is aligned by the mesh's points instead of dlib's own
landmark networks, whose training pictures (iBUG 300-W) are not free for every use.
"""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.metrics.face_crop import FaceCrop
from training.metrics.judge_models import FACE_DESCRIPTOR, model_path

Floats = NDArray[np.float64]

CHIP_PX = 150
PADDING = 0.25  # around the aligned face, of its width
# Corners of the eyes and the foot of the nose in the mesh, and where dlib's network expects them.
# Source: dlib image_transforms/interpolation.h, get_face_chip_details, 5 points (Boost license).
ALIGNED_POINTS = (263, 362, 33, 133, 2)
_EXPECTED = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)


class FaceDescriber:
    """Gives the 128 numbers that are close for two pictures of one person.

    Source: davisking/dlib-models, dlib_face_recognition_resnet_model_v1 (CC0).
    """

    def __init__(self, assets: Path | None = None) -> None:
        self._network = dlib.face_recognition_model_v1(str(model_path(FACE_DESCRIPTOR, assets)))

    def describe(self, picture: Image.Image, points: Floats) -> Floats:
        """Describe the face whose mesh is points [478, 2]; blocks for tens of milliseconds."""
        crop = aligned_crop(points[list(ALIGNED_POINTS)])
        chip = (crop.cut(picture, CHIP_PX)[0] * 255).round().astype(np.uint8)
        return np.array(self._network.compute_face_descriptor(chip), np.float64)


def aligned_crop(points: Floats) -> FaceCrop:
    """Give the square that brings five points [5, 2] closest to where the network expects them.

    The least squares similarity transform without reflection, solved over complex numbers.
    """
    expected = (_EXPECTED + PADDING) / (1 + 2 * PADDING)
    source = (expected - 0.5) @ np.array([1, 1j])
    target = points @ np.array([1, 1j])
    source_middle, target_middle = source.mean(), target.mean()
    turned = np.vdot(source - source_middle, target - target_middle)
    scale = turned / np.vdot(source - source_middle, source - source_middle).real
    center = target_middle - scale * source_middle
    return FaceCrop(
        float(center.real), float(center.imag), float(abs(scale)), float(np.angle(scale))
    )


def distances(descriptors: Floats, reference: Floats) -> Floats:
    """Give the Euclidean distance of each of [N, 128] to a reference [128]: [N]."""
    apart: Floats = np.linalg.norm(descriptors - reference, axis=-1)
    return apart
