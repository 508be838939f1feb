"""An MP4 of what a viewer saw and heard, in fragments of a second: a crash costs two at most."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamer.media.types import FPS, WIRE_RATE, Frame, Samples

FRAGMENT_FRAMES = FPS  # a held picture is written again after so many, so that fragments go on
QUALITY = "23"  # x264's constant rate factor
SOUND_PER_FRAME = WIRE_RATE // FPS


class FragmentedMp4:
    """Appends 40 ms at a time; blocks, used from one thread at a time.

    H.264 with a key frame every second and no delay, AAC. Everything that is written is on disk
    after the fragment it belongs to.

    Raises:
        OSError: when nothing can be written there.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        # The header follows the first fragment, so that it can say by how much AAC begins early.
        movement = "frag_keyframe+delay_moov+default_base_moof"
        self._file = path.open("xb", buffering=0)
        self._container = av.open(
            self._file,
            "w",
            format="mp4",
            options={"movflags": movement, "frag_duration": "1000000", "flush_packets": "1"},
        )
        self._container.metadata["comment"] = "Made by AI (Parley)"
        self._video = self._container.add_stream("libx264", rate=FPS)
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.gop_size = FRAGMENT_FRAMES
        self._video.codec_context.time_base = Fraction(1, FPS)
        self._video.options = {"crf": QUALITY, "preset": "veryfast", "tune": "zerolatency"}
        self._audio = self._container.add_stream("aac", rate=WIRE_RATE, layout="mono")
        self._picture: Frame | None = None
        self._held = 0
        self._frames = 0

    def write(self, picture: Frame | None, sound: Samples) -> None:
        """Append a picture [H, W, 3], or None to hold the last, and its 40 ms of 48 kHz sound."""
        if picture is not None:
            self._picture = picture
        self._held = 0 if picture is not None else self._held + 1
        if self._picture is not None and self._held % FRAGMENT_FRAMES == 0:
            frame = av.VideoFrame.from_ndarray(self._picture, format="rgb24")
            frame.pts, frame.time_base = self._frames, Fraction(1, FPS)
            self._container.mux(self._video.encode(frame))
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[None], np.float32), format="fltp", layout="mono"
        )
        block.sample_rate = WIRE_RATE
        block.pts, block.time_base = self._frames * SOUND_PER_FRAME, Fraction(1, WIRE_RATE)
        self._container.mux(self._audio.encode(block))
        self._frames += 1

    def finish(self) -> None:
        """Write what is buffered and close the file."""
        with self._file:
            self._container.mux(self._video.encode(None))
            self._container.mux(self._audio.encode(None))
            self._container.close()
