"""The one clock of a room: audio samples since its start, read from a monotonic clock.

Video frame k shows the sound of k/25 to (k+1)/25 seconds. Sound and pictures are sent by this clock
alone, so that they cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from streamer.media.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME


class MediaClock:
    """Room time. Owned by one room.

    Args:
        now: monotonic seconds, such as time.monotonic.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._start: float | None = None

    @property
    def is_running(self) -> bool:
        return self._start is not None

    def start(self, after: float = 0.0) -> None:
        """Let frame 0 be due `after` seconds from now; starting again moves room time back to 0."""
        self._start = self._now() + after

    @property
    def seconds(self) -> float:
        """Room time; negative before frame 0 is due, 0 before the start."""
        return 0.0 if self._start is None else self._now() - self._start

    @property
    def samples(self) -> int:
        """Room time in samples at 16 kHz."""
        return math.floor(self.seconds * SAMPLE_RATE + 1e-6)

    @property
    def frames(self) -> int:
        """The video frame that is on at this moment."""
        return self.samples // SAMPLES_PER_FRAME

    def due(self, frame: int) -> float:
        """When a frame and its sound are to leave, in seconds of the monotonic clock."""
        start = self._now() if self._start is None else self._start
        return start + frame / FPS

    def wait(self, frame: int) -> float:
        """Seconds until a frame is due; 0 when it is late."""
        return max(0.0, self.due(frame) - self._now())

    def lateness(self, frame: int) -> float:
        """Seconds since a frame was due; 0 when it is early."""
        return max(0.0, self._now() - self.due(frame))
