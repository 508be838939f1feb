"""From packets to a film: real VP8 and Opus, cut, lost and shifted as networks do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from aiortc.rtp import RtpPacket
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from clients.bench.errors import BenchError
from clients.bench.proof_film import (
    FPS,
    MOST_CLIP_BYTES,
    PICTURE_TICKS,
    SOUND_HZ,
    SOUND_PER_PICTURE,
    clip,
    film,
    heard,
    liveliest,
    pictures,
)
from clients.bench.proof_viewer import KeepingViewer, Kept, Stream, origin

FRAMES = 50
WIDTH, HEIGHT = 64, 48
BEGAN = 1_000.0  # the sender's clock at the first picture
FLASH = 25  # this picture is white, and in its 40 ms there is a click
VIDEO_START, AUDIO_START = 123_456, 777_000  # RTP time stamps begin anywhere


class Viewer:
    """Streams as a call leaves them."""

    def __init__(self) -> None:
        self.video, self.audio = Stream("video"), Stream("audio")


def vp8() -> list[bytes]:
    codec = av.CodecContext.create("libvpx", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, FPS), Fraction(FPS)
    codec.options = {"deadline": "realtime", "lag-in-frames": "0"}
    made = []
    for n in range(FRAMES):
        level = 255 if n == FLASH else 40 + n
        picture = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = n, Fraction(1, FPS)
        made += [bytes(packet) for packet in codec.encode(frame)]
    return made


def opus() -> list[bytes]:
    codec = AudioCodecContext.create("libopus", "w")
    codec.layout, codec.sample_rate, codec.format = "mono", SOUND_HZ, "flt"
    codec.options = {"application": "lowdelay"}
    sound = np.zeros(FRAMES * SOUND_PER_PICTURE, np.float32)
    times = np.arange(SOUND_PER_PICTURE) / SOUND_HZ
    sound[FLASH * SOUND_PER_PICTURE :][:SOUND_PER_PICTURE] = 0.5 * np.sin(2 * np.pi * 500 * times)
    made = []
    for n, block in enumerate(sound.reshape(-1, 960)):
        frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = SOUND_HZ, n * 960
        made += [bytes(packet) for packet in codec.encode(frame)]
    return made


def called(*, without: frozenset[int] = frozenset(), sound_late_s: float = 0.0) -> Viewer:
    """A call; pictures `without` never came, and the sound left later than its time stamps."""
    made = Viewer()
    sequence = 65_500  # it passes the end of 16 bits
    for n, data in enumerate(vp8()):
        half = len(data) // 2
        for part, is_last in ((data[:half], False), (data[half:], True)):
            sequence += 1
            if n not in without:
                take(made.video, sequence, VIDEO_START + n * PICTURE_TICKS, is_last, part)
    for n, data in enumerate(opus()):
        take(made.audio, 65_530 + n, AUDIO_START + n * 960, False, data)
    for second in (0, 1):
        made.video.report(BEGAN + second, VIDEO_START + second * 90_000)
        made.audio.report(BEGAN + second + sound_late_s, AUDIO_START + second * SOUND_HZ)
    return made


def take(stream: Stream, sequence: int, timestamp: int, is_last: bool, data: bytes) -> None:
    packet = RtpPacket(
        payload=data, sequence_number=sequence % 65_536, timestamp=timestamp, marker=int(is_last)
    )
    stream.take(packet)


def made_of(viewer: Viewer) -> KeepingViewer:
    return cast("KeepingViewer", viewer)


def shown(path: Path) -> list[float]:
    with av.open(path) as container:
        return [float(each.to_ndarray(format="rgb24").mean()) for each in container.decode(video=0)]


def click_s(path: Path) -> float:
    with av.open(path) as container:
        sound = np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(container.streams.audio[0])]
        )
    return float(np.flatnonzero(np.abs(sound) > 0.1)[0]) / SOUND_HZ


def test_a_film_has_every_picture_and_its_sound_in_place(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    made = film(made_of(called()), path, BEGAN)
    assert (made.frames, made.held, made.broken, made.lost_packets) == (FRAMES, 0, 0, 0)
    assert made.begins_at == pytest.approx(BEGAN)
    levels = shown(path)
    assert len(levels) == FRAMES
    assert int(np.argmax(levels)) == FLASH
    assert click_s(path) == pytest.approx(FLASH / FPS, abs=0.03)  # the codecs' own delays


def test_sound_lies_where_the_senders_reports_put_it(tmp_path: Path) -> None:
    film(made_of(called()), tmp_path / "a.mp4", BEGAN)
    film(made_of(called(sound_late_s=0.2)), tmp_path / "b.mp4", BEGAN)
    assert click_s(tmp_path / "b.mp4") - click_s(tmp_path / "a.mp4") == pytest.approx(0.2, abs=5e-3)


def test_a_film_begins_where_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    made = film(made_of(called()), path, BEGAN + 0.8)
    assert made.frames == FRAMES - 20
    assert int(np.argmax(shown(path))) == FLASH - 20
    assert click_s(path) == pytest.approx((FLASH - 20) / FPS, abs=0.03)


def test_a_picture_that_never_came_is_held_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    made = film(made_of(called(without=frozenset({10, 11}))), path, BEGAN)
    assert made.frames == FRAMES
    assert made.held >= 2
    assert made.broken == 1  # the one after the hole leans on what is missing
    assert made.lost_packets == 4
    levels = shown(path)
    assert levels[10] == pytest.approx(levels[9], abs=0.5)
    assert int(np.argmax(levels)) == FLASH


def test_without_a_picture_it_says_so(tmp_path: Path) -> None:
    viewer = called(without=frozenset(range(FRAMES)))
    with pytest.raises(BenchError, match="no whole picture"):
        film(made_of(viewer), tmp_path / "film.mp4", BEGAN)
    with pytest.raises(BenchError, match="no report"):
        origin([], 90_000)


def test_a_frame_is_whole_when_nothing_of_it_or_before_it_is_missing() -> None:
    def kept(sequence: int, timestamp: int, *, is_last: bool) -> Kept:
        return Kept(sequence, timestamp, is_last, b"\x01", 0.0)

    packets = [
        kept(1, 0, is_last=False),
        kept(2, 0, is_last=True),
        kept(4, 3600, is_last=True),  # 3 is missing
        kept(5, 7200, is_last=False),  # its end is missing
        kept(7, 10800, is_last=True),
        kept(8, 14400, is_last=True),
    ]
    assert [each.is_whole for each in pictures(packets)] == [True, False, False, False, True]


def test_sound_that_did_not_come_is_silence() -> None:
    packets = [Kept(n, n * 960, False, data, 0.0) for n, data in enumerate(opus())]
    hole = range(FLASH * 2, FLASH * 2 + 2)
    whole, _ = heard(packets)
    holed, start = heard([packet for packet in packets if packet.sequence not in hole])
    assert start == 0
    loud = slice(FLASH * SOUND_PER_PICTURE, (FLASH + 1) * SOUND_PER_PICTURE)
    assert np.abs(whole[loud]).max() > 0.3
    assert np.abs(holed[loud]).max() < 0.05


def test_a_clip_is_small_and_holds_what_was_asked_for(tmp_path: Path) -> None:
    made = film(made_of(called()), tmp_path / "film.mp4", BEGAN)
    size = clip(tmp_path / "film.mp4", tmp_path / "clip.mp4", (20, 40), made.sound)
    assert size == (tmp_path / "clip.mp4").stat().st_size <= MOST_CLIP_BYTES
    levels = shown(tmp_path / "clip.mp4")
    assert len(levels) == 20
    assert int(np.argmax(levels)) == FLASH - 20
    assert click_s(tmp_path / "clip.mp4") == pytest.approx((FLASH - 20) / FPS, abs=0.03)


def test_a_clip_is_cut_where_everybody_speaks() -> None:
    spans = [(0, 2.0, 12.0), (0, 13.0, 18.0), (1, 18.5, 23.0), (0, 24.0, 26.0)]
    start = liveliest(spans, 10.0, 60.0)
    assert 12.0 <= start <= 18.0
    assert liveliest(spans, 10.0, 20.0) <= 10.0
    assert liveliest([], 10.0, 20.0) == 0.0
