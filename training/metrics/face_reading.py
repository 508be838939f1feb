"""What the judges keep of one face in one video frame: a kilobyte, so that hours of video fit.

"Left" is the viewer's. Lengths called relative are parts of the face's height, forehead to chin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.metrics.face_mesh import MESH_POINTS, MeshedFace

Points = NDArray[np.float64]
Floats = NDArray[np.float32]

FOREHEAD, CHIN = 10, 152
UPPER_LIP, LOWER_LIP = 13, 14  # inner edges, in the middle
LIDS = ((159, 145), (386, 374))  # upper and lower lid of the left and the right eye
OUTER_EYE_CORNERS = (33, 263)
STEADY = (33, 133, 362, 263, 168, 6, 197, 195)  # corners of the eyes, bridge of the nose

# Points of the mesh in the places of the 106-point scheme that `face_detections` describes. The
# brow and eye points are what interactivity measures; of the rest only the mean is used.
# fmt: off
_CONTOUR = [
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397,
    288, 361, 323, 454, 356, 389, 251, 284, 332, 21, 162, 54, 103, 67, 297,
]
# fmt: on
_LEFT_BROW = [46, 53, 52, 65, 55, 70, 63, 105, 66]
_RIGHT_BROW = [276, 283, 282, 295, 285, 300, 293, 334, 296]
_LEFT_EYE = [468, 133, 160, 158, 33, 153, 144, 159, 145, 173]
_RIGHT_EYE = [473, 362, 387, 385, 263, 380, 373, 386, 374, 398]
_MOUTH = [61, 37, 0, 267, 291, 314, 17, 84, 91, 321, 39, 269, 78, 308, 82, 13, 312, 87, 14, 317]
_NOSE = [168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 64, 294, 48, 278, 94]


def _scheme() -> NDArray[np.int64]:
    left_eye = dict(zip((35, 39, 41, 42, 36, 37), (33, 133, 160, 158, 144, 153), strict=True))
    right_eye = dict(zip((89, 93, 95, 96, 90, 91), (362, 263, 385, 387, 380, 373), strict=True))
    left_brow = dict(zip((43, 48, 49, 51, 50), (70, 63, 105, 66, 107), strict=True))
    right_brow = dict(zip((102, 103, 104, 105, 101), (336, 296, 334, 293, 300), strict=True))
    chosen = left_eye | right_eye | left_brow | right_brow
    others = _CONTOUR + _MOUTH + _NOSE + _LEFT_BROW[:4] + _RIGHT_BROW[:4]
    others += [_LEFT_EYE[i] for i in (0, 7, 8, 9)] + [_RIGHT_EYE[i] for i in (0, 7, 8, 9)]
    free = [place for place in range(106) if place not in chosen]
    chosen |= dict(zip(free, others, strict=True))
    return np.array([chosen[place] for place in range(106)])


SCHEME_106 = _scheme()


class FaceLook(NamedTuple):
    """How a face looks at one moment; taken once a second."""

    descriptor: NDArray[np.float64]  # [128] of the identity network
    lab: NDArray[np.float64]  # [3] mean CIELAB color of the face
    sharpness: float  # root mean square Laplacian of the face at one fixed size, 8-bit levels


class FaceReading(NamedTuple):
    """One face in one video frame."""

    landmarks: Floats  # [106, 2] pixels
    box: Floats  # [4] x1, y1, x2, y2 around the mesh, pixels
    center: Points  # [2] of eyes and nose, which no talking moves, pixels
    height_px: float  # forehead to chin
    mouth_opening: float  # relative gap of the inner lips
    eye_opening: float  # mean relative gap of the lids
    eye_span: float  # distance of the outer eye corners over face height, both in space
    look: FaceLook | None


def read_face(face: MeshedFace, look: FaceLook | None = None) -> FaceReading:
    """Measure one face."""
    points = face.points

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    height = max(length(FOREHEAD, CHIN), 1.0)  # a face folded to a point stays finite
    mesh = points[:MESH_POINTS]
    return FaceReading(
        landmarks=points[SCHEME_106].astype(np.float32),
        box=np.concatenate([mesh.min(0), mesh.max(0)]).astype(np.float32),
        center=points[list(STEADY)].mean(0),
        height_px=height,
        mouth_opening=length(UPPER_LIP, LOWER_LIP) / height,
        eye_opening=sum(length(*lids) for lids in LIDS) / len(LIDS) / height,
        eye_span=_distance(face, *OUTER_EYE_CORNERS) / max(_distance(face, FOREHEAD, CHIN), 1.0),
        look=look,
    )


def _distance(face: MeshedFace, a: int, b: int) -> float:
    """Measure in space, so that a turned head keeps its shape."""
    return float(
        np.hypot(np.linalg.norm(face.points[a] - face.points[b]), face.depth[a] - face.depth[b])
    )
