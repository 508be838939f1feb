"""Speech from any file that FFmpeg reads, at a rate that a seat takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from clients.bot.errors import InputError
from clients.bot.pcm import check_rate


def read_file(path: Path, rate: int) -> Iterator[bytes]:
    """Yield 16-bit mono samples; the file is read as they are taken.

    Raises:
        InputError: when there is no such file, or no sound in it.
    """
    try:
        with av.open(path) as container:
            if not container.streams.audio:
                raise InputError(f"{path} holds no sound")
            resampler = av.AudioResampler("s16", "mono", check_rate(rate))
            for frame in container.decode(container.streams.audio[0]):
                for part in resampler.resample(frame):
                    yield part.to_ndarray().astype("<i2").tobytes()
            for part in resampler.resample(None):
                yield part.to_ndarray().astype("<i2").tobytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path} is no sound that can be read: {error}") from error
