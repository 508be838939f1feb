"""Any audio that FFmpeg reads, as the 16 kHz mono float32 that a seat takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import SAMPLE_RATE

MOST_SECONDS = 6 * 3600


def read_audio(path: Path) -> NDArray[np.float32]:
    """Decode the first audio stream of a file to mono float32 [n] at 16 kHz, full scale 1.

    Raises:
        InputError: when the file is missing, holds no audio, is damaged, empty or endless.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path} holds no audio; give a file with a voice")
            blocks = list(_decode(container, path))
    except av.error.FFmpegError as error:
        raise InputError(f"cannot read audio from {path}: {error.strerror}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not len(samples):
        raise InputError(f"{path} holds no sound; its audio stream is empty")
    if not np.isfinite(samples).all():
        raise InputError(f"{path} holds samples that are NaN or infinite; export it again")
    return np.clip(samples, -1, 1)


def _decode(container: av.container.InputContainer, path: Path) -> Iterator[NDArray[np.float32]]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    count = 0
    for frame in container.decode(audio=0):
        for block in resampler.resample(frame):
            count += block.samples
            if count > MOST_SECONDS * SAMPLE_RATE:
                raise InputError(f"{path} is longer than {MOST_SECONDS // 3600} hours; cut it")
            yield block.to_ndarray()[0].astype(np.float32)
    for block in resampler.resample(None):
        yield block.to_ndarray()[0].astype(np.float32)
