"""A room whose networks see only the squares around faces, laid back over the scene's picture.

Inside it is any other room, of a scene that is a strip of cells.

Shape letters: P people, T video frames of a chunk, H and W size of the video, S side of a cell,
s side of a square.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.architectures.face_bend import EXPRESSIONS, FaceBender
from engines.architectures.head_turn import HeadTurner
from engines.architectures.room import Made, Moves, Room
from engines.manifest import CellRule, Size, Square, boxes_in_strip, cut_strip, squares_around
from engines.scene.boxes import Box
from engines.scene.scene import Scene

# Of the way to where a head or a brow should be, each frame, twice: heads are heavy. Corners of the
# mouth come slowly: quick ones would stir the lips that follow a voice.
HEAD = 3  # yaw, pitch, roll; expressions follow them
FOLLOWED = np.array([0.43] * HEAD + [0.12 if "mouth" in name else 0.43 for name in EXPRESSIONS])
TURNED = 0.8  # of what is acted: large turns show that a head is no egg
# Of acted expressions: as faint as brows are acted, hardly anybody would notice; a smile is seen
# sooner, and shares the mouth with speech.
SHOWN = np.array([1.8 if name.startswith("brow") else 1.2 for name in EXPRESSIONS], np.float32)
LEAST_SHOWN, MOST_SHOWN = -0.6, 1.2  # beyond these faces look bent
Shares = NDArray[np.float32]
Places = NDArray[np.floating]


class Strip(NamedTuple):
    """A scene as its networks see it, and where its cells lie in the picture."""

    scene: Scene
    squares: tuple[Square, ...]


def strip_of(scene: Scene, rule: CellRule) -> Strip:
    """Cut a scene into a strip of cells, one a person; everything in a cell is its person's."""
    side, people = rule.side, scene.size.people
    squares = squares_around(scene.boxes, scene.size.width, scene.size.height, rule)
    masks = np.zeros((people, side, people * side), np.bool_)
    for person, mask in enumerate(masks):
        mask[:, person * side : (person + 1) * side] = True
    picture = cut_strip(scene.picture, squares, side)
    for array in (masks, picture):
        array.setflags(write=False)
    strip = Scene(
        name=scene.name,
        size=Size(people=people, width=people * side, height=side),
        picture=picture,
        boxes=tuple(Box(*each) for each in boxes_in_strip(scene.boxes, squares, side)),
        masks=masks,
        prompt=scene.prompt,
        people_names=scene.people_names,
    )
    return Strip(strip, squares)


class CellRoom:
    """Lays what another room makes over a picture.

    Args:
        inner: makes strips [T, S, P * S, 3]; this room closes it.
        picture: [H, W, 3].
        squares: where each cell lies in it.
        boxes: around the faces, in pixels of the picture.
        rule: how soft their edges are.
    """

    def __init__(
        self,
        inner: Room,
        picture: NDArray[np.uint8],
        squares: Sequence[Square],
        boxes: Sequence[Box],
        rule: CellRule,
    ) -> None:
        self._inner, self._squares, self._side = inner, squares, rule.side
        self._picture = picture
        shares = _in_turn(cell_shares(squares, picture.shape[:2], rule.feather))
        self._shares = [
            np.ascontiguousarray(share[square.rows, square.columns])
            for share, square in zip(shares, squares, strict=True)
        ]
        self._rests = [1 - share for share in self._shares]
        self._turners = [
            HeadTurner(_within(box, square), square.side, rule.side)
            for box, square in zip(boxes, squares, strict=True)
        ]
        self._benders = list[FaceBender]()  # known when the first moves come
        self._aimed = self._moved = np.zeros((len(squares), HEAD + len(EXPRESSIONS)))

    def make(
        self, samples: NDArray[np.float32], noise: np.random.Generator, steps: int | None
    ) -> Made:
        made = self._inner.make(samples, noise, steps)
        start = time.perf_counter()
        frames = self._pasted(made.frames, self._followed(made.moves, len(made.frames)))
        made.parts_ms["paste"] = (time.perf_counter() - start) * 1e3
        return Made(frames, made.parts_ms)

    def listen(self, samples: NDArray[np.float32]) -> None:
        self._inner.listen(samples)

    def hush(self, person: int) -> None:
        self._inner.hush(person)

    def set_prompt(self, prompt: str) -> None:
        self._inner.set_prompt(prompt)

    def close(self) -> None:
        self._inner.close()

    def _followed(self, moves: Moves | None, frames: int) -> NDArray[np.float64]:
        """Give [T, P, 3 + E], where heads and faces are on their way to moves."""
        wanted = np.zeros((frames, *self._moved.shape))
        if moves is not None:
            wanted[..., :HEAD] = TURNED * moves.turns.swapaxes(0, 1)
            shown = SHOWN * moves.expressions.swapaxes(0, 1)
            wanted[..., HEAD:] = shown.clip(LEAST_SHOWN, MOST_SHOWN)
            self._benders = self._benders or [
                FaceBender(marks, square.side)
                for marks, square in zip(moves.marks, self._squares, strict=True)
            ]
        made = []
        for aim in wanted:
            self._aimed = self._aimed + FOLLOWED * (aim - self._aimed)
            self._moved = self._moved + FOLLOWED * (self._aimed - self._moved)
            made.append(self._moved)
        return np.stack(made)

    def _pasted(self, strips: NDArray[np.uint8], moved: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Give [T, H, W, 3] of strips [T, S, P * S, 3] and what is moved [T, P, 3 + E]."""
        frames = np.repeat(self._picture[None], len(strips), axis=0)
        for frame, strip, people in zip(frames, strips, moved, strict=True):
            for person, square in enumerate(self._squares):
                cell = strip[:, person * self._side : (person + 1) * self._side]
                face = self._face(person, cell, people[person])
                below = frame[square.rows, square.columns]
                below[:] = cv2.blendLinear(face, below, self._shares[person], self._rests[person])
        return frames

    def _face(
        self, person: int, cell: NDArray[np.uint8], moved: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        yaw, pitch, roll = moved[:HEAD]
        shifts = self._benders[person].shifts(moved[HEAD:]) if self._benders else None
        return self._turners[person].turned(cell, yaw, pitch, roll, shifts)


def _within(box: Box, square: Square) -> Box:
    """Give a box of the picture in pixels of a square."""
    left, top, right, bottom = box
    return Box(left - square.left, top - square.top, right - square.left, bottom - square.top)


def cell_shares(squares: Sequence[Square], size: tuple[int, int], feather: float) -> Shares:
    """Give [P, H, W] in 0..1: how much of each pixel is a cell's; the rest is the picture's.

    A cell fades out towards the edges of its square, but not where that is the picture's own edge.
    Where two squares overlap, a pixel is that cell's whose edge is further away, with as soft a
    border; together they never exceed 1.
    """
    height, width = size
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    depths = np.stack(
        [
            np.minimum(
                _depth(rows, each.top, each.side, height, feather)[:, None],
                _depth(columns, each.left, each.side, width, feather)[None],
            )
            for each in squares
        ]
    )
    shares = _smooth(np.clip(depths, 0, 1))
    for person in range(len(squares)):
        others = np.delete(depths, person, axis=0).max(0, initial=-np.inf)
        ahead = np.where(others > 0, depths[person] - others, np.inf)
        shares[person] *= _smooth(np.clip(0.5 + ahead, 0, 1))
    shares /= np.maximum(shares.sum(0), 1)
    given: Shares = shares.astype(np.float32)
    return given


def _depth(at: Places, start: int, side: int, most: int, feather: float) -> Places:
    """Say how far inside a span places are, in feathers; the picture's edge does not count."""
    before = np.full_like(at, np.inf) if start == 0 else at - start
    behind = np.full_like(at, np.inf) if start + side == most else start + side - at
    inside = (at > start) & (at < start + side)
    depth: Places = np.minimum(before, behind) / (feather * side)
    return np.where(inside, depth, -1.0)


def _smooth(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ease a ramp at both ends: 3 x^2 - 2 x^3."""
    eased: NDArray[np.float64] = share * share * (3 - 2 * share)
    return eased


def _in_turn(shares: Shares) -> Shares:
    """Turn shares of the whole into shares of what lies there, cells being laid one by one."""
    turns = shares.copy()
    left = np.ones(shares.shape[1:], np.float32)
    for person in reversed(range(len(shares))):
        turns[person] = np.divide(shares[person], left, out=np.zeros_like(left), where=left > 1e-6)
        left -= shares[person]
    return np.clip(turns, 0, 1)
