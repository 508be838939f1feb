"""Architecture numbers of the studio's audio encoder."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ConfigError

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 640  # of one video frame, 25 fps
HOP_SAMPLES = 160  # of one mel frame, 10 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioEncoderConfig:
    """Widths, depths and the look-ahead of a causal convolutional audio encoder."""

    look_ahead_frames: int  # video frames heard beyond the end of the one emitted, 40 ms each
    window_samples: int  # of one spectrum
    mels: int
    lowest_hz: float
    highest_hz: float
    channels: int  # of the trunk
    fast_dilations: tuple[int, ...]  # one residual block each, 50 steps a second
    slow_dilations: tuple[int, ...]  # one residual block each, 25 steps a second
    features: int
    curves: int

    def __post_init__(self) -> None:
        if self.look_ahead_frames < 0:
            raise ConfigError(f"look_ahead_frames={self.look_ahead_frames} must not be negative")
        if self.window_samples < HOP_SAMPLES:
            raise ConfigError(
                f"window_samples={self.window_samples} must cover a hop of {HOP_SAMPLES}"
            )
        if not 0 < self.lowest_hz < self.highest_hz <= SAMPLE_RATE_HZ / 2:
            raise ConfigError(
                f"the band {self.lowest_hz}..{self.highest_hz} Hz must lie within "
                f"0..{SAMPLE_RATE_HZ // 2}"
            )
        widths = (self.mels, self.channels, self.features, self.curves)
        if min(widths) < 1 or min((*self.fast_dilations, *self.slow_dilations), default=1) < 1:
            raise ConfigError(
                f"mels, channels, features, curves={widths} and dilations "
                f"{self.fast_dilations} {self.slow_dilations} must be at least 1"
            )

    @property
    def look_ahead_samples(self) -> int:
        """Samples that must follow a frame's end before it is emitted."""
        return self.look_ahead_frames * FRAME_SAMPLES


def studio_audio() -> AudioEncoderConfig:
    """Give the shipped encoder: 80 ms of look-ahead, 0.9 M parameters, 1.6 s of past."""
    return AudioEncoderConfig(
        look_ahead_frames=2,
        window_samples=400,
        mels=80,
        lowest_hz=50.0,
        highest_hz=7600.0,
        channels=160,
        fast_dilations=(1, 2, 4),
        slow_dilations=(1, 2, 4, 8),
        features=128,
        curves=53,
    )
