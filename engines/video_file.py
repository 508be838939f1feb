"""An MP4 of what a stream made: H.264 and AAC in step, whole or not there at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import FPS, SAMPLE_RATE

Mix = Literal["stereo", "mono"]
OUT_RATE = 48000  # what players and AAC encoders are best at
QUALITY = "18"  # x264's constant rate factor: hard to tell from the source
WIDTH_OF_STAGE = 0.7  # how far from the middle the outermost voices sit


def gains(people: int, mix: Mix) -> NDArray[np.float32]:
    """Give [2, P]: how loud each seat is left and right, of constant power, left to right."""
    if mix == "mono" or people == 1:
        places = np.full(people, 0.5)
    else:
        places = 0.5 + WIDTH_OF_STAGE * (np.arange(people) / (people - 1) - 0.5)
    angles = places * np.pi / 2
    sides: NDArray[np.float32] = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    return sides * np.float32(np.sqrt(2))


class VideoFile:
    """Writes frames and voices to `path` through a file beside it, renamed when all is well.

    Raises:
        InputError: when the folder does not exist or nothing can be written there.
    """

    def __init__(self, path: Path, size: tuple[int, int], loudness: NDArray[np.float32]) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._loudness = loudness
        self._has_ended = False
        try:
            self._part.touch()  # FFmpeg opens it late; whoever calls must hear it now
            self._container = av.open(str(self._part), "w", format="mp4")
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from error
        self._container.metadata["comment"] = "Made by AI (Parley)"
        self._video = self._container.add_stream("libx264", rate=FPS)
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"crf": QUALITY, "preset": "medium"}
        self._audio = self._container.add_stream("aac", rate=OUT_RATE, layout="stereo")
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=OUT_RATE)
        self._frames = 0
        self._samples = 0

    def write(self, frames: NDArray[np.uint8], voices: NDArray[np.float32]) -> None:
        """Append frames [T, H, W, 3] and the voices [P, n] that sound with them."""
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = self._frames, Fraction(1, FPS)
            self._frames += 1
            self._container.mux(self._video.encode(frame))
        mixed = np.clip(self._loudness @ voices, -1, 1).astype(np.float32)
        block = av.AudioFrame.from_ndarray(mixed, format="fltp", layout="stereo")
        block.sample_rate = SAMPLE_RATE
        block.pts, block.time_base = self._samples, Fraction(1, SAMPLE_RATE)
        self._samples += mixed.shape[1]
        for resampled in self._resampler.resample(block):
            self._container.mux(self._audio.encode(resampled))

    def finish(self) -> None:
        """Write what is buffered and put the file in its place."""
        for resampled in self._resampler.resample(None):
            self._container.mux(self._audio.encode(resampled))
        self._container.mux(self._video.encode(None))
        self._container.mux(self._audio.encode(None))
        self._container.close()
        self._part.replace(self._path)
        self._has_ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._has_ended:
            self._container.close()
            self._part.unlink(missing_ok=True)
