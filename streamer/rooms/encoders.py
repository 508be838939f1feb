"""The encoders of a room's pictures: the media's, as a show uses them."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamer.media.encoding import EncoderConfig, VideoCodec, VideoEncoder, finds_nvenc, picture
from streamer.media.types import Frame
from streamer.rooms.show import EncoderMaker, Encoding, PictureEncoder
from streamer.rooms.viewer import Codec, EncodedPicture

LEAST_BITRATE = 150_000
CODECS: dict[Codec, VideoCodec] = {"vp8": VideoCodec.VP8, "h264": VideoCodec.H264}


class RoomEncoder:
    """One codec of one room."""

    def __init__(self, encoder: VideoEncoder) -> None:
        self._encoder = encoder

    def encode(self, picture_rgb: Frame, frame: int, *, is_key: bool) -> list[EncodedPicture]:
        if is_key:
            self._encoder.request_keyframe()
        made = self._encoder.encode(picture(picture_rgb), frame)
        if made is None:
            return []
        return [EncodedPicture(made.payload, made.position, made.is_keyframe)]

    def set_bitrate(self, bits_per_second: int) -> None:
        self._encoder.set_bitrate(bits_per_second)

    def close(self) -> None:
        """Nothing to free: what the encoder holds goes with it."""


def encoder_maker(
    *, has_nvenc: bool | None = None, now: Callable[[], float] = time.monotonic
) -> EncoderMaker:
    """Give a maker of encoders.

    Args:
        has_nvenc: whether H.264 is encoded on the GPU; None to try it once, now.
        now: monotonic seconds.
    """
    is_on_gpu = finds_nvenc() if has_nvenc is None else has_nvenc

    def make(encoding: Encoding) -> PictureEncoder:
        config = EncoderConfig(
            bitrate=encoding.bitrate,
            least_bitrate=min(LEAST_BITRATE, encoding.bitrate),
            most_bitrate=encoding.bitrate,
            has_nvenc=is_on_gpu,
        )
        codec = CODECS[encoding.codec]
        size = encoding.width, encoding.height
        return RoomEncoder(VideoEncoder(codec, *size, config=config, now=now))

    return make


def make_encoder(encoding: Encoding) -> PictureEncoder:
    """Make an encoder for the CPU."""
    return encoder_maker(has_nvenc=False)(encoding)
