"""Pictures to packets: one encoder for a room and a codec, however many watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from streamer.media.types import FPS, Frame

BITS_PER_PIXEL = 0.14  # talking people at this rate look well in VP8's real-time mode
LEAST_DEFAULT_BITRATE = 400_000
NO_MORE_KEYFRAMES = 3000  # frames between two that nobody asked for


class VideoCodec(StrEnum):
    """What viewers can play; the values are WebRTC's names."""

    VP8 = "VP8"
    H264 = "H264"


class EncodedFrame(NamedTuple):
    """One picture as bytes."""

    payload: bytes
    position: int  # video frames before it
    is_keyframe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Bitrates in bits a second, times in seconds."""

    bitrate: int
    least_bitrate: int = 150_000
    most_bitrate: int = 8_000_000
    keyframe_gap: float = 0.5  # requests in between are answered by one keyframe at its end
    down_gap: float = 2.0  # after a change of bitrate, before it may fall
    up_gap: float = 8.0  # before it may rise
    hysteresis: float = 0.15  # smaller changes are not worth a keyframe
    has_nvenc: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.least_bitrate <= self.bitrate <= self.most_bitrate:
            raise ValueError(
                f"want 0 < least <= bitrate <= most, got {self.least_bitrate}, {self.bitrate}, "
                f"{self.most_bitrate} bit/s"
            )
        if self.down_gap < 2.0 or self.up_gap < self.down_gap:
            raise ValueError(
                "want 2 s at least between changes of bitrate, and as much before it rises, "
                f"got {self.down_gap} and {self.up_gap}"
            )


def default_bitrate(width: int, height: int) -> int:
    """Bits a second that make a picture of this size look well."""
    return max(LEAST_DEFAULT_BITRATE, round(BITS_PER_PIXEL * width * height * FPS))


def picture(frame: Frame) -> av.VideoFrame:
    """Make a frame [H, W, 3] ready for every encoder.

    On one thread: left to itself FFmpeg starts one per core for a millisecond's work and waits for
    the last. At 448x256 on two busy cores that took 16 ms in the median, and one thread takes 1.1.
    """
    rgb = av.VideoFrame.from_ndarray(frame, format="rgb24")
    return rgb.reformat(format="yuv420p", threads=1)


class VideoEncoder:
    """One codec at one size. `encode` blocks and is called by one thread at a time.

    Requests may come from another thread: they only set what the next `encode` looks at.

    Args:
        codec: of the packets.
        width: of the picture in pixels, even.
        height: of the picture in pixels, even.
        config: bitrates and limits.
        now: monotonic seconds.

    Raises:
        ValueError: when width or height is odd.
    """

    def __init__(
        self,
        codec: VideoCodec,
        width: int,
        height: int,
        *,
        config: EncoderConfig,
        now: Callable[[], float],
    ) -> None:
        if width % 2 or height % 2:
            raise ValueError(f"pictures must have even sizes, got {width}x{height}")
        self.codec = codec
        self.config = config
        self.frames = 0
        self.keyframes = 0
        self.rebuilds = 0
        self._size = (width, height)
        self._now = now
        self._bitrate = config.bitrate  # in force
        self._target = config.bitrate
        self._changed_at = now() - config.up_gap
        self._key_at = -1e9
        self._wants_key = True
        self._context = self._open()

    @property
    def bitrate(self) -> int:
        """Bits a second in force."""
        return self._bitrate

    def request_keyframe(self) -> None:
        """Let one of the next frames be complete in itself."""
        self._wants_key = True

    def set_bitrate(self, bitrate: float) -> None:
        """Aim at as many bits a second, within the limits; followed seldom, see the config."""
        config = self.config
        self._target = round(min(config.most_bitrate, max(config.least_bitrate, bitrate)))

    def encode(self, frame: av.VideoFrame, position: int) -> EncodedFrame | None:
        """Encode a yuv420p picture; None where the encoder left it out."""
        now = self._now()
        self._follow_bitrate(now)
        is_key = self._wants_key and now - self._key_at >= self.config.keyframe_gap
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        frame.pts = position
        frame.time_base = Fraction(1, FPS)
        packets = self._context.encode(frame)
        if not packets:
            return None
        made_key = any(packet.is_keyframe for packet in packets)
        self.frames += 1
        if made_key:
            self.keyframes += 1
            self._key_at = now
            self._wants_key = False
        return EncodedFrame(b"".join(bytes(packet) for packet in packets), position, made_key)

    def _follow_bitrate(self, now: float) -> None:
        step = self._target / self._bitrate
        if abs(step - 1) <= self.config.hysteresis:
            return
        gap = self.config.up_gap if step > 1 else self.config.down_gap
        if now - self._changed_at < gap:
            return
        self._changed_at = now
        self._bitrate = self._target
        if self.codec is VideoCodec.VP8:  # libvpx by FFmpeg takes no other bitrate once it runs
            self._context = self._open()
            self._wants_key = True
            self._key_at = -1e9
            self.rebuilds += 1
        else:
            self._context.bit_rate = self._bitrate

    def _open(self) -> VideoCodecContext:
        if self.codec is VideoCodec.VP8:
            return _vp8(*self._size, self._bitrate)
        return _h264(*self._size, self._bitrate, has_nvenc=self.config.has_nvenc)


def _vp8(width: int, height: int, bitrate: int) -> VideoCodecContext:
    context = _context("libvpx", width, height, bitrate)
    context.qmin, context.qmax = 2, 56
    context.thread_count = 1 if width * height <= 640 * 480 else 2
    context.options = {
        "deadline": "realtime",
        "cpu-used": "-8",
        "lag-in-frames": "0",
        "error-resilient": "default",
        "bufsize": str(bitrate),  # one second
        "minrate": str(bitrate),  # equal to maxrate: constant bitrate
        "maxrate": str(bitrate),
        "undershoot-pct": "100",
        "overshoot-pct": "15",
        "static-thresh": "1",
    }
    return context


def _h264(width: int, height: int, bitrate: int, *, has_nvenc: bool) -> VideoCodecContext:
    context = _context("h264_nvenc" if has_nvenc else "libx264", width, height, bitrate)
    shared = {"forced-idr": "1", "maxrate": str(bitrate), "bufsize": str(bitrate // 2)}
    own = (
        {"preset": "p3", "tune": "ull", "profile": "baseline", "rc": "cbr", "zerolatency": "1"}
        if has_nvenc
        else {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    )
    context.options = shared | own
    return context


def _context(name: str, width: int, height: int, bitrate: int) -> VideoCodecContext:
    context = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    context.width, context.height = width, height
    context.bit_rate = bitrate
    context.pix_fmt = "yuv420p"
    context.framerate = Fraction(FPS)
    context.time_base = Fraction(1, FPS)
    context.gop_size = NO_MORE_KEYFRAMES
    return context


def finds_nvenc() -> bool:
    """Whether this machine encodes H.264 on its GPU: tried once with one small picture."""
    try:
        _h264(256, 256, 500_000, has_nvenc=True).open()
    except (av.FFmpegError, ValueError):
        return False
    return True
