from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from streamer.media.encoding import (
    EncodedFrame,
    EncoderConfig,
    VideoCodec,
    VideoEncoder,
    default_bitrate,
    picture,
)
from streamer.media.null_generator import NullGenerator, read_opening
from streamer.media.types import Frame


class FakeClock:
    def __init__(self) -> None:
        self.time = 50.0

    def __call__(self) -> float:
        return self.time


def moving(count: int, size: tuple[int, int] = (128, 96)) -> list[Frame]:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return [np.ascontiguousarray(np.roll(base, 2 * n, axis=1)) for n in range(count)]


def encoder(codec: VideoCodec, now: Callable[[], float], bitrate: int = 400_000) -> VideoEncoder:
    return VideoEncoder(codec, 128, 96, config=EncoderConfig(bitrate=bitrate), now=now)


def run(encoder: VideoEncoder, clock: FakeClock, frames: list[Frame]) -> list[EncodedFrame]:
    made = []
    for n, frame in enumerate(frames):
        clock.time += 0.04
        encoded = encoder.encode(picture(frame), n)
        assert encoded is not None
        made.append(encoded)
    return made


def decode(codec: VideoCodec, packets: list[EncodedFrame]) -> list[Frame]:
    context = VideoCodecContext.create("libvpx" if codec is VideoCodec.VP8 else "h264", "r")
    frames = [f for p in packets for f in context.decode(av.Packet(p.payload))]
    frames += context.decode(None)
    return [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in frames]


@pytest.mark.parametrize("codec", VideoCodec)
def test_every_frame_comes_out_at_once_and_can_be_seen(codec: VideoCodec) -> None:
    clock = FakeClock()
    frames = moving(12)
    made = run(encoder(codec, clock), clock, frames)
    assert [m.position for m in made] == list(range(12))
    assert [m.is_keyframe for m in made] == [True] + [False] * 11
    seen = decode(codec, made)
    assert len(seen) == 12
    assert np.abs(seen[-1].astype(int) - frames[-1]).mean() < 25


@pytest.mark.parametrize("codec", VideoCodec)
def test_a_keyframe_begins_anew_and_a_viewer_can_join_there(codec: VideoCodec) -> None:
    clock = FakeClock()
    coder = encoder(codec, clock)
    run(coder, clock, moving(20))
    coder.request_keyframe()
    made = run(coder, clock, moving(5))
    assert made[0].is_keyframe
    assert len(decode(codec, made)) == 5


def test_many_requests_make_one_keyframe_each_half_second() -> None:
    clock = FakeClock()
    coder = encoder(VideoCodec.VP8, clock)
    keys = 0
    for frame in moving(75):  # 3 s
        coder.request_keyframe()
        keys += run(coder, clock, [frame])[0].is_keyframe
    assert keys == pytest.approx(6, abs=1)


def test_a_storm_of_bitrates_rebuilds_at_most_every_two_seconds() -> None:
    clock = FakeClock()
    coder = encoder(VideoCodec.VP8, clock, 800_000)
    frames = moving(250)  # 10 s
    for n, frame in enumerate(frames):
        coder.set_bitrate(700_000 if n % 2 else 200_000 + n * 1000)
        run(coder, clock, [frame])
    assert 1 <= coder.rebuilds <= 5
    assert coder.keyframes <= coder.rebuilds + 1


def test_small_changes_of_bitrate_are_left_alone() -> None:
    clock = FakeClock()
    coder = encoder(VideoCodec.VP8, clock, 400_000)
    for n, frame in enumerate(moving(150)):
        coder.set_bitrate(400_000 * (1.1 if n % 2 else 0.9))
        run(coder, clock, [frame])
    assert coder.rebuilds == 0


@pytest.mark.parametrize("codec", VideoCodec)
def test_the_bitrate_is_kept_before_and_after_a_change(codec: VideoCodec) -> None:
    clock = FakeClock()
    coder = encoder(codec, clock, 800_000)
    noise = np.random.default_rng(1)
    frames = [noise.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(120)]
    before = sum(len(m.payload) for m in run(coder, clock, frames)[20:]) * 8 * 25 / 100
    coder.set_bitrate(300_000)
    after = sum(len(m.payload) for m in run(coder, clock, frames)[20:]) * 8 * 25 / 100
    assert after < 0.75 * before
    assert coder.bitrate == 300_000


def test_limits_hold() -> None:
    clock = FakeClock()
    coder = encoder(VideoCodec.VP8, clock)
    coder.set_bitrate(1)
    run(coder, clock, moving(60))
    assert coder.bitrate == coder.config.least_bitrate
    with pytest.raises(ValueError, match="even"):
        VideoEncoder(VideoCodec.VP8, 3, 2, config=coder.config, now=clock)
    with pytest.raises(ValueError, match="least <= bitrate"):
        EncoderConfig(bitrate=1)
    with pytest.raises(ValueError, match="2 s at least"):
        EncoderConfig(bitrate=500_000, down_gap=0.1)
    assert default_bitrate(832, 480) > default_bitrate(64, 64)


@pytest.mark.parametrize("codec", VideoCodec)
def test_mouths_can_be_read_from_decoded_pictures(codec: VideoCodec) -> None:
    generator = NullGenerator(2, (448, 256), chunk_frames=10, look_ahead_samples=0)
    generator.join(1)
    generator.push(1, np.full(10 * 640, 0.1, np.float32))
    clock = FakeClock()
    coder = VideoEncoder(
        codec, 448, 256, config=EncoderConfig(bitrate=default_bitrate(448, 256)), now=clock
    )
    seen = decode(codec, run(coder, clock, list(generator.make_chunk().frames)))
    assert [read_opening(f, 0, 2) for f in seen] == pytest.approx([0.0] * 10, abs=0.02)
    assert [read_opening(f, 1, 2) for f in seen] == pytest.approx([0.4] * 10, abs=0.03)
