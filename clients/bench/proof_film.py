"""From the packets of a call to a film: 25 pictures a second, and sound where reports put it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from clients.bench.errors import BenchError
from clients.bench.proof_script import Sound
from clients.bench.proof_viewer import KeepingViewer, Kept, Stream

FPS = 25
PICTURE_HZ, SOUND_HZ = 90_000, 48_000
PICTURE_TICKS = PICTURE_HZ // FPS
SOUND_PER_PICTURE = SOUND_HZ // FPS
QUALITY = "18"  # x264's constant rate factor: what VP8 left is kept
TRIES = ("23", "26", "29", "32", "35", "38")  # of a clip, until it is small enough
MOST_CLIP_BYTES = 480_000  # a repository's limit for a file is often 500 kB

Picture = NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What was made, and how whole it is."""

    frames: int
    begins_at: float  # the sender's clock at the first picture, seconds since 1970
    held: int  # frames in which nothing new was there to show
    broken: int  # pictures of which something was missing
    lost_packets: int
    sound: Sound  # [frames * 1920], 48 kHz


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture as it came."""

    timestamp: int
    data: bytes
    is_whole: bool

    @property
    def is_key(self) -> bool:
        """VP8 says so in the lowest bit of the first byte (RFC 6386, section 9.1)."""
        return bool(self.data) and not self.data[0] & 1


def pictures(packets: Sequence[Kept]) -> Iterator[Encoded]:
    """Put packets, in order, together again."""
    before: int | None = None
    for timestamp, group in itertools.groupby(packets, key=lambda packet: packet.timestamp):
        parts = list(group)
        numbers = [part.sequence for part in parts]
        is_next = before is None or numbers[0] == before + 1
        is_whole = is_next and parts[-1].is_last and numbers[-1] - numbers[0] + 1 == len(numbers)
        before = numbers[-1]
        yield Encoded(timestamp, b"".join(part.data for part in parts), is_whole)


def heard(packets: Sequence[Kept]) -> tuple[Sound, int]:
    """Decode sound; what did not come is silence. Gives it and the time stamp of its start."""
    if not packets:
        raise BenchError("no sound came from the server")
    codec = AudioCodecContext.create("libopus", "r")
    codec.layout, codec.sample_rate = "mono", SOUND_HZ
    start = packets[0].timestamp
    sound = np.zeros(packets[-1].timestamp - start + SOUND_HZ, np.float32)
    for packet in packets:
        at = packet.timestamp - start
        for frame in codec.decode(av.Packet(packet.data)) if packet.data else ():
            part = frame.to_ndarray()[0].astype(np.float32) / 32768
            sound[at : at + len(part)] = part[: max(0, len(sound) - at)]
            at += len(part)
    return sound, start


def film(viewer: KeepingViewer, path: Path, begins_at: float) -> Film:
    """Write what a viewer got, from a moment of the sender's clock on; blocks.

    Raises:
        BenchError: when there is no picture to begin with.
    """
    shown = [each for each in pictures(viewer.video.ordered()) if each.data]
    first = next((n for n, each in enumerate(shown) if each.is_key and each.is_whole), None)
    if first is None:
        raise BenchError("no whole picture came from the server: is its scene rendered at all?")
    shown = shown[first:]
    zero = viewer.video.origin()
    skipped = max(0, round((begins_at - zero) * FPS - shown[0].timestamp / PICTURE_TICKS))
    count = round((shown[-1].timestamp - shown[0].timestamp) / PICTURE_TICKS) + 1 - skipped
    if count <= 0:
        raise BenchError("pictures ended before anybody spoke; see the server's log")
    begins = zero + (shown[0].timestamp + skipped * PICTURE_TICKS) / PICTURE_HZ
    sound = _sound_from(viewer.audio, begins, count)
    held = _write(path, decoded(shown), (skipped, count), sound)
    return Film(
        frames=count,
        begins_at=begins,
        held=held,
        broken=sum(not each.is_whole for each in shown),
        lost_packets=viewer.video.lost + viewer.audio.lost,
        sound=sound,
    )


def decoded(shown: Sequence[Encoded]) -> Iterator[tuple[int, Picture]]:
    """Decode VP8; gives each picture with the number of its frame, counted from the first one."""
    codec = av.CodecContext.create("libvpx", "r")
    if not isinstance(codec, VideoCodecContext):
        raise BenchError("this PyAV has no VP8: install a newer one")
    for each in shown:
        try:
            frames = codec.decode(av.Packet(each.data))
        except av.FFmpegError:
            continue  # of a picture that is not whole; the next key frame mends it
        number = round((each.timestamp - shown[0].timestamp) / PICTURE_TICKS)
        for frame in frames:
            yield number, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def _sound_from(stream: Stream, begins: float, count: int) -> Sound:
    """Cut sound to the film: the sender's clock says what belongs to which picture."""
    sound, start = heard(stream.ordered())
    ahead = round((begins - stream.origin()) * SOUND_HZ) - start
    cut = np.zeros(count * SOUND_PER_PICTURE, np.float32)
    part = sound[max(0, ahead) :][: len(cut) - max(0, -ahead)]
    cut[max(0, -ahead) :][: len(part)] = part
    return cut


def _write(
    path: Path, shown: Iterator[tuple[int, Picture]], span: tuple[int, int], sound: Sound
) -> int:
    """Write the frames of a span; gives how many had nothing new."""
    skipped, count = span
    number, picture = next(shown)
    waiting = next(shown, None)
    held = 0
    with Mp4(path, (picture.shape[1], picture.shape[0]), QUALITY) as file:
        for n in range(skipped, skipped + count):
            before = number
            while waiting is not None and waiting[0] <= n:
                (number, picture), waiting = waiting, next(shown, None)
            held += number == before and n > skipped
            at = (n - skipped) * SOUND_PER_PICTURE
            file.write(picture, sound[at : at + SOUND_PER_PICTURE])
    return held


class Mp4:
    """H.264 and AAC that plays while it loads. Use it by `with`."""

    def __init__(self, path: Path, size: tuple[int, int], quality: str) -> None:
        self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        self._container.metadata["comment"] = "Made by AI (Parley)"
        self._video = self._container.add_stream("libx264", rate=FPS)
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.thread_count = 1
        self._video.options = {"crf": quality, "preset": "medium"}
        self._audio = self._container.add_stream("aac", rate=SOUND_HZ, layout="mono")
        self._audio.bit_rate = 64_000
        self._count = 0

    def __enter__(self) -> Mp4:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.mux(self._video.encode(None))
        self._container.mux(self._audio.encode(None))
        self._container.close()

    def write(self, picture: Picture, sound: Sound) -> None:
        """Append a picture and the 40 ms of sound that belong to it."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self._count, Fraction(1, FPS)
        self._container.mux(self._video.encode(frame))
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[None], np.float32), format="fltp", layout="mono"
        )
        block.sample_rate = SOUND_HZ
        block.pts, block.time_base = self._count * SOUND_PER_PICTURE, Fraction(1, SOUND_HZ)
        self._container.mux(self._audio.encode(block))
        self._count += 1


def clip(source: Path, target: Path, span: tuple[int, int], sound: Sound) -> int:
    """Cut frames out of a film into a file that is small enough for a page; gives its bytes.

    Args:
        source: the film.
        target: the clip.
        span: first frame, and the one after the last.
        sound: of the whole film, 48 kHz.

    Raises:
        BenchError: when nothing makes it small enough.
    """
    with av.open(source) as container:
        frames = itertools.islice(container.decode(video=0), span[0], span[1])
        cut = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames]
    if not cut:
        raise BenchError(f"{source} has no frames {span[0]} to {span[1]}")
    for quality in TRIES:
        with Mp4(target, (cut[0].shape[1], cut[0].shape[0]), quality) as file:
            for n, picture in enumerate(cut, span[0]):
                at = n * SOUND_PER_PICTURE
                file.write(picture, sound[at : at + SOUND_PER_PICTURE])
        if target.stat().st_size <= MOST_CLIP_BYTES:
            return target.stat().st_size
    raise BenchError(f"{target} stays above {MOST_CLIP_BYTES // 1000} kB: cut fewer seconds")


def liveliest(spans: Sequence[tuple[int, float, float]], seconds: float, whole: float) -> float:
    """Choose where a clip begins: where the one who speaks least speaks most.

    Args:
        spans: seat, beginning and end of each turn, in seconds of the film.
        seconds: of the clip.
        whole: seconds of the film.

    Returns:
        Seconds of the film.
    """
    seats = sorted({seat for seat, _, _ in spans})
    starts = [max(0.0, min(begins - 0.5, whole - seconds)) for _, begins, _ in spans] or [0.0]

    def least(start: float) -> float:
        spoken = dict.fromkeys(seats, 0.0)
        for seat, begins, ends in spans:
            spoken[seat] += max(0.0, min(ends, start + seconds) - max(begins, start))
        return min(spoken.values(), default=0.0)

    return max(starts, key=least)
