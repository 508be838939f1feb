"""Who says what when: recordings are put into turns, one microphone's track for each seat."""

from __future__ import annotations

import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clients.bench.errors import BenchError
from clients.bot import InputError
from clients.bot.audio_file import read_file

RATE = 48_000
LEAD_S = 2.0  # of silence, in which browsers and jitter buffers settle
PAUSE_S = 1.0  # between two turns: longer than the way to the others, so that each speaks alone
TAIL_S = 1.0
LEAST_S = 0.5  # of speech, in a recording
BLOCK = RATE // 50
QUIET = 0.03  # of the loudest block's level: quieter ends are cut off
MARGIN = 4  # blocks kept at either end

Sound = NDArray[np.float32]  # [n], -1 to 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One recording, said once, in seconds of the script."""

    seat: int
    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """What the microphones hear."""

    turns: tuple[Turn, ...]
    tracks: Mapping[int, Sound]  # by seat, of one length, 48 kHz
    seconds: float


def read_voice(path: Path) -> Sound:
    """Read a recording without the silence at its ends, 48 kHz mono.

    Raises:
        BenchError: when there is no speech in it.
    """
    try:
        pcm = b"".join(read_file(path, RATE))
    except InputError as error:
        raise BenchError(str(error)) from error
    sound = trimmed((np.frombuffer(pcm, "<i2") / 32768).astype(np.float32))
    if len(sound) < LEAST_S * RATE:
        raise BenchError(f"{path} holds {len(sound) / RATE:.1f} s of sound; want {LEAST_S:g} s")
    return sound


def trimmed(sound: Sound) -> Sound:
    """Cut silence off both ends; nothing is left of silence."""
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    levels = np.sqrt((blocks**2).mean(axis=1)) if len(blocks) else np.zeros(0)
    if not levels.any():
        return sound[:0]
    loud = np.flatnonzero(levels > QUIET * levels.max())
    return sound[max(0, loud[0] - MARGIN) * BLOCK : (loud[-1] + 1 + MARGIN) * BLOCK]


def script(voices: Mapping[int, Sequence[Sound]], seconds: float) -> Script:
    """Let the seats speak in turns, again and again, for so long at most.

    Raises:
        BenchError: when not even the first turn fits.
    """
    turns: list[Turn] = []
    said: list[Sound] = []
    at, count = LEAD_S, 0
    while True:
        seat = sorted(voices)[count % len(voices)]
        own = voices[seat]
        sound = own[count // len(voices) % len(own)]
        ends = at + len(sound) / RATE
        if ends + TAIL_S > seconds:
            break
        turns.append(Turn(seat, at, ends))
        said.append(sound)
        at, count = ends + PAUSE_S, count + 1
    if not turns:
        raise BenchError(f"{seconds:g} s are too short for the first recording; give more seconds")
    length = round(seconds * RATE)
    tracks = {seat: np.zeros(length, np.float32) for seat in sorted(voices)}
    for turn, sound in zip(turns, said, strict=True):
        start = round(turn.begins_s * RATE)
        tracks[turn.seat][start : start + len(sound)] = sound
    return Script(tuple(turns), tracks, seconds)


def write_wav(path: Path, sound: Sound, rate: int) -> None:
    """Write 16-bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def read_seats(given: Sequence[str]) -> dict[int, list[Path]]:
    """Read SEAT=FILE options; a seat that is named again says one after another.

    Raises:
        BenchError: when one has another form or no file.
    """
    found: dict[int, list[Path]] = {}
    for each in given:
        seat, is_pair, name = each.partition("=")
        if not is_pair or not seat.isdecimal():
            raise BenchError(f"--voice wants SEAT=FILE, such as 0=left.wav; got {each}")
        path = Path(name)
        if not path.is_file():
            raise BenchError(f"there is no file {path}")
        found.setdefault(int(seat), []).append(path)
    if not found:
        raise BenchError("whose voices? give --voice 0=LEFT.wav --voice 1=RIGHT.wav")
    return found
