"""How alive listeners are: the motion of their brows and eyes while they do not speak.

The idea and the scale are AnyTalker's (arXiv 2511.23475); on a clean two-person video the score is
the published program's (`published_interactivity`) within a percent. What differs:

- Any number of people, each keeping their seat from left to right.
- A jump (a face's landmarks more than 10 crop pixels from the last frame, on average) is no motion
  of the face: that pair of frames is left out, and the next is compared with the new position. The
  published rule repeats the old position instead: a glitch counts as stillness, and a face that
  moved for good stays frozen.
- A face missing in a frame leaves out its two pairs of frames. The published program gives up.
- Where boxes are missing or too many, a box goes to the nearest face, not to the same rank.
- The crop follows the median box size, so that one wrong box does not rescale the video.

Speaking intervals are seconds; `seconds_from_timecode` reads the published file's seconds.frames.

Formula. For each person p and frame t, X(p, t) [106, 2] are the landmarks minus the smoothed center
of the face's square box, times 224 / C, where C is the largest person's median box side, at least
224. Motion m(p, t) is the mean over 22 brow and eye points of |X(p, t) - X(p, t-1)|. The score is
the mean of m over all (p, t) where p is silent at t / fps, is seen at t-1 and t, and did not jump.
Like the published one it counts pixels of the video when faces are smaller than 224, and the
jitter of the detector's boxes is part of it: compare only videos of one size, by one detector.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.metrics.face_detections import (
    EYE_AND_BROW_POINTS,
    LANDMARKS,
    FaceDetections,
    InteractivityScore,
    SpeakingIntervals,
    mean_motion,
    silent_frames,
    square_boxes,
)

CROP_PX = 224
JUMP = 10.0  # crop pixels
SMOOTHING = 0.7  # weight of a new box center

Points = NDArray[np.float64]


def interactivity(
    faces: FaceDetections, people: int, speaking: SpeakingIntervals | None = None
) -> InteractivityScore:
    """Measure listeners' motion for any number of people; see the module for the formula.

    Raises:
        InputError: when there is nobody, or speaking intervals are for another number of people.
    """
    if people < 1:
        raise InputError(f"interactivity needs at least 1 person, got {people}")
    is_silent = silent_frames(faces.frames, faces.fps, people, speaking)
    landmarks = seat_faces(faces, people)  # [T, P, 106, 2]
    boxes = seat_boxes(faces, landmarks)  # [T, P, 4]
    scale = CROP_PX / _crop_px(boxes)
    points = (landmarks - _centers(boxes, JUMP / scale)[:, :, None]) * scale
    moved = np.linalg.norm(np.diff(points, axis=0), axis=-1)  # [T-1, P, 106]
    motion = np.full((faces.frames, people), np.nan)
    is_jump = moved.mean(-1) > JUMP
    motion[1:] = np.where(is_jump, np.nan, moved[..., EYE_AND_BROW_POINTS].mean(-1))
    return mean_motion(motion, is_silent)


def seat_faces(faces: FaceDetections, people: int) -> Points:
    """Give each person's landmarks [T, P, 106, 2], people from the left, NaN where one is not seen.

    The first frame with enough faces seats the largest; before it nobody is seen. From then on
    faces keep their order; with too many or too few of them, the pairs nearest to where people were
    last seen count.
    """
    seated = np.full((faces.frames, people, LANDMARKS, 2), np.nan)
    last: Points | None = None  # [P, 2] where each person was last seen
    for frame in range(faces.frames):
        found = faces.landmarks_px[frame][faces.has_landmarks[frame]].astype(np.float64)
        if last is None:
            if len(found) < people:
                continue
            area = np.ptp(found, axis=1).prod(-1)
            found = found[np.argsort(-area, kind="stable")[:people]]
        found = found[np.argsort(found[:, :, 0].mean(1), kind="stable")]
        middles = found.mean(1)
        last = middles.copy() if last is None else last
        for face, seat in pair_in_order(middles, last):
            last[seat] = middles[face]
            seated[frame, seat] = found[face]
    return seated


def seat_boxes(faces: FaceDetections, landmarks: Points) -> Points:
    """Give the square box of each person [T, P, 4], NaN where none was found.

    Boxes and people keep their order from the left; with too many or too few, the nearest count.
    """
    boxes = np.full((*landmarks.shape[:2], 4), np.nan)
    middles = landmarks.mean(2)  # [T, P, 2]
    for frame, middle in enumerate(middles):
        seats = np.flatnonzero(~np.isnan(middle[:, 0]))
        seats = seats[np.argsort(middle[seats, 0], kind="stable")]
        found = faces.boxes_px[frame][faces.has_box[frame]].astype(np.float64)
        found = found[np.argsort(found[:, 0], kind="stable")]
        centers = (found[:, :2] + found[:, 2:]) / 2
        for box, row in pair_in_order(centers, middle[seats]):
            boxes[frame, seats[row]] = found[box]
    return square_boxes(boxes, faces.width_px, faces.height_px)


def pair_in_order(first: Points, second: Points) -> list[tuple[int, int]]:
    """Pair points [A, 2] with points [B, 2], both from the left, so that no two pairs cross.

    Every point of the shorter row is paired; among such pairings the least total distance wins.
    """
    if len(first) > len(second):
        return [(a, b) for b, a in pair_in_order(second, first)]

    def total(chosen: tuple[int, ...]) -> float:
        return float(np.linalg.norm(second[list(chosen)] - first, axis=1).sum())

    nearest = min(combinations(range(len(second)), len(first)), key=total)
    return list(enumerate(nearest))


def _crop_px(boxes: Points) -> float:
    """Give the crop side for the whole video: the largest person's median box, at least 224."""
    sides = boxes[..., 2] - boxes[..., 0]  # [T, P]
    medians = [float(np.median(s[~np.isnan(s)])) for s in sides.T if not np.isnan(s).all()]
    return max([float(CROP_PX), *medians])


def _centers(boxes: Points, jump_px: float) -> Points:
    """Smooth box centers over time [T, P, 2]; one that jumped is taken as it is.

    Without a box the last center stays; before a person's first box it is NaN.
    """
    raw = (boxes[..., :2] + boxes[..., 2:]) / 2
    smooth = np.full_like(raw, np.nan)
    center = smooth[0]
    for frame, new in enumerate(raw):
        eased = SMOOTHING * new + (1 - SMOOTHING) * center
        distance = np.linalg.norm(new - center, axis=-1, keepdims=True)
        following = np.where(distance <= jump_px, eased, new)  # also the first box: NaN distance
        center = np.where(np.isnan(new), center, following)
        smooth[frame] = center
    return smooth
