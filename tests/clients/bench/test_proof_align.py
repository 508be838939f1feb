"""Sent voices are found in what was heard, and lie where they were heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clients.bench.errors import BenchError
from clients.bench.load_speech import sentence
from clients.bench.proof_align import RATE, Piece, Placed, cut, lay, place, without_strays
from clients.bench.proof_script import Sound, Turn

TURNS = (Turn(0, 2.0, 6.0), Turn(0, 10.0, 14.0), Turn(0, 18.0, 22.0))
SECONDS = 26


def voice(seed: int) -> Sound:
    """Three turns of 4 s that are not alike."""
    draw, track = np.random.default_rng(seed), np.zeros(SECONDS * RATE, np.float32)
    for turn in TURNS:
        said = sentence(draw, RATE, turn.ends_s - turn.begins_s) / 32768
        track[round(turn.begins_s * RATE) :][: len(said)] = said
    return track


def heard(sent: Sound, later_s: tuple[float, float, float], seed: int = 9) -> Sound:
    """Each turn by so much later, quieter, over the noise of a codec and another's voice."""
    draw = np.random.default_rng(seed)
    came = 0.01 * draw.standard_normal(len(sent) + 3 * RATE)
    for turn, later in zip(TURNS, later_s, strict=True):
        start, end = round(turn.begins_s * RATE), round(turn.ends_s * RATE)
        came[start + round(later * RATE) :][: end - start] += 0.4 * sent[start:end]
    other = voice(seed + 1)
    came[4 * RATE :][: len(other)] += 0.3 * other[: len(came) - 4 * RATE]
    return came.astype(np.float32)


def test_a_voice_is_found_to_the_millisecond_under_noise_and_another_voice() -> None:
    sent = voice(1)
    found = place(TURNS, sent, heard(sent, (0.4321,) * 3), 0.0)
    assert found.found == len(found.pieces) == 12
    assert found.later_s == pytest.approx(0.4321, abs=0.001)
    assert found.spread_ms < 1
    assert found.slope_ms == pytest.approx(0, abs=1)
    assert found.r > 0.4


def test_a_delay_that_grows_within_the_call_is_followed_and_told() -> None:
    sent = voice(2)
    found = place(TURNS, sent, heard(sent, (0.30, 0.34, 0.38)), 0.0)
    by_turn = [piece.later_s for piece in found.pieces if piece.begins_s in (2.0, 10.0, 18.0)]
    assert by_turn == [pytest.approx(each, abs=0.002) for each in (0.30, 0.34, 0.38)]
    assert found.slope_ms == pytest.approx(300, rel=0.1)  # 80 ms in 16 s
    laid = lay(found, sent, SECONDS * RATE)
    for turn, later in zip(TURNS, (0.30, 0.34, 0.38), strict=True):
        begins = int((turn.begins_s + later) * RATE)
        assert not laid[begins - RATE : begins - 40].any()
        assert laid[begins : begins + RATE].any()


def test_clocks_say_where_to_look() -> None:
    sent = voice(3)
    came = np.concatenate([np.zeros(5 * RATE, np.float32), heard(sent, (0.2,) * 3)])
    assert place(TURNS, sent, came, 5.0).later_s == pytest.approx(5.2, abs=0.001)
    with pytest.raises(BenchError, match="pieces of seat 0's voice"):
        place(TURNS, sent, came, 0.0)


def test_a_voice_that_nobody_heard_is_told() -> None:
    with pytest.raises(BenchError, match="of 12 pieces of seat 0's voice 0 were heard"):
        place(TURNS, voice(4), np.zeros(30 * RATE, np.float32), 0.0)


def test_a_piece_that_was_taken_for_another_lies_as_its_neighbors_do() -> None:
    pieces = [Piece(float(n), n + 1.0, 0.3, 0.8) for n in range(7)]
    pieces[3] = replace(pieces[3], later_s=1.1)
    kept = without_strays(pieces)
    assert [piece.later_s for piece in kept] == [0.3, 0.3, 0.3, None, 0.3, 0.3, 0.3]
    ramp = np.arange(10 * RATE, dtype=np.float32)
    placed = Placed(seat=0, pieces=tuple(kept), later_s=0.3, spread_ms=0, slope_ms=None)
    assert placed.found == 6
    laid = lay(placed, ramp, 10 * RATE)
    start = round(3.3 * RATE)
    assert np.array_equal(laid[start : start + RATE], ramp[3 * RATE : 4 * RATE])


def test_what_lies_beyond_the_film_is_cut() -> None:
    placed = Placed(
        seat=0,
        pieces=(Piece(0.0, 1.0, -0.5, 0.9), Piece(1.0, 2.0, -0.5, 0.9)),
        later_s=-0.5,
        spread_ms=0,
        slope_ms=None,
    )
    sent = np.ones(2 * RATE, np.float32)
    assert lay(placed, sent, RATE).tolist() == [1.0] * RATE


def test_turns_are_cut_into_pieces_of_about_a_second() -> None:
    pieces = cut(Turn(0, 1.0, 5.4))
    assert len(pieces) == 4
    assert pieces[0][0] == 1.0
    assert pieces[-1][1] == pytest.approx(5.4)
    assert cut(Turn(0, 0.0, 0.3)) == [(0.0, 0.3)]
