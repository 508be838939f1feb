"""How much faster or slower a sender's clock runs than ours, and how fast to read its sound.

Every few seconds the packet that came through fastest tells the difference of the clocks; a line
through many such moments has the drift as its slope. What error is left is steered away slowly, so
that over hours nothing adds up and nothing is heard.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamer.media.types import WIRE_RATE

MOST_PPM = 300.0  # crystals are within 100 ppm; resampling further would be heard before it helps
WINDOW = 4.0  # seconds; one moment each
WINDOWS = 75  # of 5 minutes
LEAST_WINDOWS = 8  # before a slope is believed
STEERING_PPM = 100.0  # at most, for the error that is left
STEERING_TIME = 60.0  # seconds in which an error would be steered away
SMOOTHING = 0.02  # of the error, for each time it is read


class DriftEstimator:
    """One sender's clock against ours. Owned by whoever reads that sender's jitter buffer."""

    def __init__(self) -> None:
        self._moments: deque[tuple[float, float]] = deque(maxlen=WINDOWS)  # (arrival, transit)
        self._origin: tuple[float, int] | None = None
        self._best: tuple[float, float] | None = None  # of the window that is open
        self._opened = 0.0
        self._error = 0.0  # seconds, smoothed
        self.ppm = 0.0  # how much faster the sender counts than we do

    def restart(self) -> None:
        """Begin to measure anew; the sender's clock is likely the same, so the figure is kept."""
        self._moments.clear()
        self._origin = self._best = None
        self._error = 0.0

    def add(self, arrival: float, timestamp: int) -> None:
        """Take the times of a packet: arrival in seconds, timestamp unwrapped at 48 kHz."""
        if self._origin is None:
            self._origin = (arrival, timestamp)
            self._opened = arrival
        transit = (arrival - self._origin[0]) - (timestamp - self._origin[1]) / WIRE_RATE
        if self._best is None or transit < self._best[1]:
            self._best = (arrival, transit)
        if arrival - self._opened >= WINDOW:
            self._close_window(arrival)

    def speed(self, behind: float) -> float:
        """Give how many samples of the sender to read for one of ours, about 1.

        Args:
            behind: seconds by which what is heard is later than it should be.
        """
        self._error += SMOOTHING * (behind - self._error)
        steering = self._error / STEERING_TIME * 1e6
        steering = min(STEERING_PPM, max(-STEERING_PPM, steering))
        ppm = min(MOST_PPM, max(-MOST_PPM, self.ppm + steering))
        return 1 + ppm * 1e-6

    def _close_window(self, arrival: float) -> None:
        if self._best is not None:
            self._moments.append(self._best)
        self._best = None
        self._opened = arrival
        if len(self._moments) >= LEAST_WINDOWS:
            self.ppm = min(MOST_PPM, max(-MOST_PPM, -self._slope() * 1e6))

    def _slope(self) -> float:
        """Seconds a second, of a line that single moments held up on their way do not bend."""
        times, transits = np.array(self._moments).T
        times = times - times[0]
        slope, start = _line(times, transits)
        above = transits - (start + slope * times)
        trusted = above <= max(np.sort(above)[len(above) * 7 // 10], 1e-4)  # lateness only adds
        if trusted.sum() >= LEAST_WINDOWS:
            slope, _ = _line(times[trusted], transits[trusted])
        return slope


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and start of the line through points with the least squares."""
    off = x - x.mean()
    slope = float(off @ y / (off @ off))
    return slope, float(y.mean() - slope * x.mean())
