"""Speech as the wire carries it: 16-bit little-endian mono samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clients.bot.errors import InputError

RATES = (16_000, 24_000, 48_000)  # that a seat takes
SAMPLE_BYTES = 2
Pcm: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]


def pcm16(speech: Pcm) -> bytes:
    """Give speech as bytes: bytes as they are, int16 [n], or float [n] with full scale 1.

    Raises:
        InputError: when bytes hold half a sample, or an array is neither.
    """
    if not isinstance(speech, np.ndarray):
        data = bytes(speech)
        if len(data) % SAMPLE_BYTES:
            raise InputError(f"speech is 16-bit samples, got {len(data)} bytes; send whole ones")
        return data
    if speech.ndim != 1:
        raise InputError(f"speech is mono [n], got {list(speech.shape)}; mix the channels")
    if speech.dtype == np.int16:
        return speech.astype("<i2").tobytes()
    if speech.dtype.kind != "f":
        raise InputError(f"speech is int16 or float samples, got {speech.dtype}")
    if not np.isfinite(speech).all():
        raise InputError("speech holds samples that are not finite")
    return np.round(np.clip(speech, -1, 1) * 32767).astype("<i2").tobytes()


def pieces(data: bytes, most_bytes: int) -> Iterator[bytes]:
    """Cut into messages of whole samples."""
    step = most_bytes // SAMPLE_BYTES * SAMPLE_BYTES
    for start in range(0, len(data), step):
        yield data[start : start + step]


def check_rate(rate: int) -> int:
    """Give the rate back.

    Raises:
        InputError: when a seat does not take it.
    """
    if rate not in RATES:
        raise InputError(f"a seat takes {', '.join(map(str, RATES))} Hz, got {rate}; resample it")
    return rate
