"""Read a video's pictures one by one and its sound, or the sound of any other file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray
from PIL import Image

from models.errors import InputError
from training.studio.performance_data import SAMPLE_RATE

Samples = NDArray[np.float32]
"""[n] mono at 16 kHz, -1..1."""


class VideoFormat(NamedTuple):
    """What a video file says of itself."""

    width_px: int
    height_px: int
    fps: float
    audio_tracks: int


def video_format(path: Path) -> VideoFormat:
    """Look at a video without decoding it.

    Raises:
        InputError: when the file cannot be read or has no pictures or no frame rate.
    """
    with _open(path) as file:
        if not file.streams.video:
            raise InputError(f"{path} has no video track; give a file with pictures")
        stream = file.streams.video[0]
        rate: Fraction | None = stream.average_rate
        if not rate:
            raise InputError(f"{path} does not say its frame rate; convert it to a constant one")
        return VideoFormat(stream.width, stream.height, float(rate), len(file.streams.audio))


def read_pictures(path: Path) -> Iterator[Image.Image]:
    """Decode the pictures in order, one at a time.

    The file stays open until the iterator ends or is closed.

    Raises:
        InputError: when the file cannot be read or is broken.
    """
    with _open(path) as file:
        stream = file.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            for frame in file.decode(stream):
                yield Image.fromarray(frame.to_ndarray(format="rgb24"))
        except av.FFmpegError as error:
            raise InputError(f"{path} cannot be decoded: {error}") from error


def read_sound(path: Path, track: int = 0) -> Samples:
    """Decode one audio track of any format, mixed down to mono at 16 kHz.

    Time 0 is the first picture where the file has pictures, else the first sample.

    Raises:
        InputError: when the file cannot be read or has no such track.
    """
    with _open(path) as file:
        if track >= len(file.streams.audio):
            raise InputError(
                f"{path} has {len(file.streams.audio)} audio tracks, so none is number {track}"
            )
        stream = file.streams.audio[track]
        pictures = file.streams.video
        resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        late_s: float | None = None
        parts: list[Samples] = []
        try:
            for frame in file.decode(stream):
                if late_s is None:
                    late_s = (frame.time or 0.0) - (_start_s(pictures[0]) if pictures else 0.0)
                parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
        except av.FFmpegError as error:
            raise InputError(f"{path} cannot be decoded: {error}") from error
    samples = np.concatenate([np.zeros(0, np.float32), *parts])
    return _shifted(samples, (late_s or 0.0) if pictures else 0.0)


def _open(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path} cannot be opened as a video or sound file: {error}") from error


def _start_s(stream: av.VideoStream) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _shifted(samples: Samples, late_s: float) -> Samples:
    count = round(late_s * SAMPLE_RATE)
    if count >= 0:
        return np.concatenate([np.zeros(count, np.float32), samples])
    return samples[-count:]
