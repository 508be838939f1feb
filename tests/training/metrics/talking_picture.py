"""A real face made to talk: the astronaut's photograph, her lower face warped by a known curve."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

FACE_BOX = (96, 0, 352, 256)  # of the photograph, left, top, right, bottom
# Where her mouth is in that box: the edge of the lower lip, its middle and half its width, the
# chin, and the end of what moves with it.
LIP_Y, LIP_X, HALF_WIDTH, CHIN_Y, END_Y = 149.0, 127.0, 22.0, 178.0, 205.0


def face() -> Picture:
    """Give the astronaut's face [256, 256, 3]."""
    whole = Image.open(Path(skimage.data.__file__).parent / "astronaut.png")
    return np.asarray(whole.crop(FACE_BOX))


def open_mouth(picture: Picture, gap_px: float) -> Picture:
    """Lower the jaw by so many pixels and darken what is between the lips."""
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float64)
    across = np.clip(1 - ((x - LIP_X) / HALF_WIDTH) ** 2, 0, 1)
    gap = gap_px * across
    below = np.clip((END_Y - y) / (END_Y - CHIN_Y), 0, 1)  # fades out under the chin
    source = np.where(y > LIP_Y + gap, y - gap * below, np.minimum(y, LIP_Y))
    warped = np.stack(
        [
            map_coordinates(picture[..., c].astype(np.float64), [source, x], order=1)
            for c in range(3)
        ],
        -1,
    )
    is_inside = (y > LIP_Y) & (y <= LIP_Y + gap)
    warped[is_inside] = (40, 15, 15)
    return warped.round().clip(0, 255).astype(np.uint8)


def talking(gaps_px: Floats) -> list[Picture]:
    """Give frames of people whose mouths open by gaps [T, P]; every second one is mirrored."""
    steps = np.round(gaps_px).astype(np.int64)
    faces = {int(step): open_mouth(face(), float(step)) for step in np.unique(steps)}
    return [
        np.concatenate(
            [
                faces[int(step)][:, ::-1] if seat % 2 else faces[int(step)]
                for seat, step in enumerate(row)
            ],
            axis=1,
        )
        for row in steps
    ]


def write_video(path: Path, frames: list[Picture]) -> Path:
    """Encode frames at 25 a second with little loss."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "16", "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(stream.encode(None))
    return path
