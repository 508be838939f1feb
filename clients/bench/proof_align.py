"""Finds sent voices in what a viewer heard, piece by piece, and lays them where they were heard.

Both begin as one sound: the microphone's file. On its way the voice is encoded twice, leveled, and
moved by jitter buffers, browsers and the room, so one offset for a whole call may not do. Each turn
is cut into pieces of a second; each is looked for near the place where clocks expect it, by
normalized cross correlation of the samples. One that is far from its neighbors was taken for
another one, and lies where they do.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from clients.bench.errors import BenchError
from clients.bench.proof_script import Sound, Turn
from clients.bench.soak_trend import slope

RATE = 16_000
PIECE_S = 1.0  # about: long enough to be told from others, short enough to follow a jitter buffer
EMPHASIS = 0.7  # of the first difference: vowels alone would be alike at many places
REACH_S = 3.0  # around the place where clocks expect a piece: a machine that is busy is late
LEAST_R = 0.2  # below it a piece was not found; above, its neighbors have to agree
AWAY_S = 0.12  # from its neighbors: beyond it a piece was taken for another one
NEIGHBORS = 3  # on either side
SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a turn, in seconds of the script, and where it was heard."""

    begins_s: float
    ends_s: float
    later_s: float | None  # script to film; None: it was not found
    r: float  # correlation there


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One voice in the film."""

    seat: int
    pieces: tuple[Piece, ...]
    later_s: float  # script to film, the median of its pieces
    spread_ms: float  # the median distance from that
    slope_ms: float | None  # a minute; None: too few pieces

    @property
    def found(self) -> int:
        return sum(piece.later_s is not None for piece in self.pieces)

    @property
    def r(self) -> float:
        """Give the median likeness of what was found."""
        return median(piece.r for piece in self.pieces if piece.later_s is not None)


def cut(turn: Turn) -> list[tuple[float, float]]:
    """Cut a turn into equal pieces."""
    length = turn.ends_s - turn.begins_s
    count = max(1, round(length / PIECE_S))
    edges = [turn.begins_s + length * n / count for n in range(count + 1)]
    return list(itertools.pairwise(edges))


def find(piece: Sound, heard: Sound) -> tuple[int, float]:
    """Find where in what was heard a piece begins.

    Args:
        piece: [n], not silent.
        heard: [m], m >= n.

    Returns:
        The place in samples, and the correlation there, -1 to 1.
    """
    sent, came = _emphasized(piece), _emphasized(heard)
    size = 1 << (len(sent) + len(came) - 1).bit_length()
    product = np.fft.rfft(came, size) * np.conj(np.fft.rfft(sent, size))
    places = len(came) - len(sent) + 1
    matched = np.fft.irfft(product, size)[:places]
    power = np.concatenate([[0.0], np.cumsum(came**2)])
    here = power[len(sent) : len(sent) + places] - power[:places]
    floor = 1e-6 * max(1e-12, float(here.max()))
    likeness = matched / np.sqrt(np.maximum(here, floor) * max(1e-12, float(sent @ sent)))
    best = int(np.argmax(likeness))
    return best, float(likeness[best])


def place(turns: Sequence[Turn], sent: Sound, heard: Sound, expected_s: float) -> Placed:
    """Find one person's turns.

    Args:
        turns: of this person.
        sent: the microphone's track, 16 kHz.
        heard: the film's sound, 16 kHz.
        expected_s: how much later than in the script the film should have it, by the clocks.

    Raises:
        BenchError: when hardly anything of it was heard.
    """
    looked = [_look(part, sent, heard, expected_s) for turn in turns for part in cut(turn)]
    pieces = without_strays(looked)
    near = [(piece.begins_s, piece.later_s) for piece in pieces if piece.later_s is not None]
    if 2 * len(near) < len(pieces):
        raise BenchError(
            f"of {len(pieces)} pieces of seat {turns[0].seat}'s voice {len(near)} were heard: "
            "has this machine time for the browsers and the server?"
        )
    laters = [later for _, later in near]
    middle = median(laters)
    trend = slope([begins for begins, _ in near], laters)
    return Placed(
        seat=turns[0].seat,
        pieces=tuple(pieces),
        later_s=middle,
        spread_ms=1000 * median(abs(each - middle) for each in laters),
        slope_ms=None if trend is None else 1000 * SECONDS_PER_MINUTE * trend,
    )


def without_strays(pieces: Sequence[Piece]) -> list[Piece]:
    """Take back the place of whatever is far from the median of its neighbors."""
    kept = []
    for n, piece in enumerate(pieces):
        around = pieces[max(0, n - NEIGHBORS) : n + NEIGHBORS + 1]
        known = [each.later_s for each in around if each.later_s is not None]
        is_stray = piece.later_s is not None and abs(piece.later_s - median(known)) > AWAY_S
        kept.append(replace(piece, later_s=None) if is_stray else piece)
    return kept


def lay(placed: Placed, sent: Sound, length: int) -> Sound:
    """Give the voice as the film has it in time, and silence around; [length] at 16 kHz.

    A piece that was not found lies as its nearest neighbor in time does.
    """
    track = np.zeros(length, np.float32)
    known = [(each.begins_s, each.later_s) for each in placed.pieces if each.later_s is not None]
    for piece in placed.pieces:
        begins = piece.begins_s
        later = min(known, key=lambda each: abs(each[0] - begins))[1]
        sound = sent[round(piece.begins_s * RATE) : round(piece.ends_s * RATE)]
        start = round((piece.begins_s + later) * RATE)
        sound = sound[max(0, -start) :]
        start = max(0, start)
        track[start : start + len(sound)] = sound[: max(0, length - start)]
    return track


def _look(part: tuple[float, float], sent: Sound, heard: Sound, expected_s: float) -> Piece:
    begins, ends = part
    piece = sent[round(begins * RATE) : round(ends * RATE)]
    first = max(0, round((begins + expected_s - REACH_S) * RATE))
    near = heard[first : round((ends + expected_s + REACH_S) * RATE)]
    if len(near) < len(piece) or not piece.any():
        return Piece(begins, ends, None, 0.0)
    at, r = find(piece, near)
    return Piece(begins, ends, (first + at) / RATE - begins if r >= LEAST_R else None, r)


def _emphasized(sound: Sound) -> NDArray[np.float64]:
    samples = sound.astype(np.float64)
    return samples[1:] - EMPHASIS * samples[:-1]
