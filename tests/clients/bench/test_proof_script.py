"""Who says what when: turns out of recordings."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from clients.bench.errors import BenchError
from clients.bench.proof_script import (
    LEAD_S,
    PAUSE_S,
    RATE,
    Sound,
    read_seats,
    read_voice,
    script,
    trimmed,
    write_wav,
)


def tone(seconds: float, hz: float = 200.0) -> Sound:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def test_silence_at_both_ends_is_cut_and_none_within() -> None:
    silence = np.zeros(RATE, np.float32)
    sound = np.concatenate([silence, tone(0.5), silence, tone(0.5), silence])
    assert 2.0 <= len(trimmed(sound)) / RATE <= 2.2
    assert len(trimmed(silence)) == 0
    assert len(trimmed(silence[:7])) == 0


def test_seats_take_turns_and_never_speak_at_once() -> None:
    made = script({0: [tone(1.0), tone(2.0)], 1: [tone(1.5)]}, 20.0)
    assert [turn.seat for turn in made.turns[:4]] == [0, 1, 0, 1]
    lengths = [round(turn.ends_s - turn.begins_s, 3) for turn in made.turns[:4]]
    assert lengths == [1.0, 1.5, 2.0, 1.5]
    assert made.turns[0].begins_s == LEAD_S
    for before, after in zip(made.turns[:-1], made.turns[1:], strict=True):
        assert after.begins_s == pytest.approx(before.ends_s + PAUSE_S)
    loud = [np.abs(made.tracks[seat]) > 0 for seat in (0, 1)]
    assert not (loud[0] & loud[1]).any()
    assert {len(track) for track in made.tracks.values()} == {20 * RATE}
    assert made.turns[-1].ends_s < 20.0


def test_a_script_too_short_for_anybody_is_refused() -> None:
    with pytest.raises(BenchError, match="too short for the first recording"):
        script({0: [tone(5.0)]}, 6.0)


def test_recordings_are_read_and_written(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(1.0), RATE)
    assert len(read_voice(tmp_path / "a.wav")) == pytest.approx(RATE, abs=RATE / 10)
    with av.open(tmp_path / "a.wav") as file:
        assert file.streams.audio[0].rate == RATE
    write_wav(tmp_path / "b.wav", np.zeros(RATE, np.float32), RATE)
    with pytest.raises(BenchError, match=r"holds 0\.0 s of sound"):
        read_voice(tmp_path / "b.wav")


def test_seats_are_read_and_one_may_have_several_recordings(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    first, second = str(tmp_path / "a.wav"), str(tmp_path / "b.wav")
    found = read_seats([f"0={first}", f"1={second}", f"0={second}"])
    assert found == {0: [Path(first), Path(second)], 1: [Path(second)]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "whose voices"),
        (["a.wav"], "SEAT=FILE"),
        (["x=a.wav"], "SEAT=FILE"),
        (["0=/nowhere/a.wav"], "no file /nowhere/a.wav"),
    ],
)
def test_what_is_no_seat_is_told(given: list[str], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        read_seats(given)
