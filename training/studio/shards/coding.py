"""Clips as bytes: H.264 pictures and FLAC voices, the same bytes for the same input.

Shape letters: T video frames, H, W picture size, n samples at 16 kHz.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import av
import numpy as np
from numpy.typing import NDArray

from training.studio.performance_data import FPS, SAMPLE_RATE, Floats

Pixels = NDArray[np.uint8]
CRF = "18"  # visually clean; about 2 MB a minute at 256x256
KEYFRAME_EVERY = FPS  # a reader decodes at most one second too much
FULL_SCALE = 32767


def encode_video(frames: Iterable[Pixels]) -> bytes:
    """Encode pictures [H, W, 3] to an MP4 of H.264, 25 frames per second.

    One thread: x264's result depends on how many there are.
    """
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = KEYFRAME_EVERY
        stream.options = {"crf": CRF, "preset": "veryfast", "bf": "0"}
        for index, pixels in enumerate(frames):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def decode_video(data: bytes, start: int, count: int) -> Pixels:
    """Decode `count` pictures from frame `start` on, [T, H, W, 3]; fewer at the end."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        if start:
            time_base = stream.time_base or 1
            container.seek(round(start / FPS / time_base), stream=stream, backward=True)
        frames = list(_from(container.decode(stream), start, count))
    return np.stack(frames)


def _from(decoded: Iterator[av.VideoFrame], start: int, count: int) -> Iterator[Pixels]:
    for frame in decoded:
        index = round((frame.time or 0.0) * FPS)
        if index >= start + count:
            return
        if index >= start:
            yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def encode_voice(samples: Floats) -> bytes:
    """Encode one voice [n], float in [-1, 1], as 16-bit FLAC, mono."""
    target = io.BytesIO()
    pcm = np.round(samples.clip(-1, 1) * FULL_SCALE).astype(np.int16)
    with av.open(target, "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def decode_voice(data: bytes) -> Floats:
    """Decode one voice to [n], float32 in [-1, 1]."""
    with av.open(io.BytesIO(data), "r") as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    pcm = np.concatenate(parts).astype(np.float32)
    return np.asarray(pcm / FULL_SCALE, np.float32)


def with_sound(video: bytes, samples: Floats) -> bytes:
    """Put a mono track [n] beside the pictures of an MP4, as AAC; the pictures stay as they are."""
    target = io.BytesIO()
    pcm = np.round(samples.clip(-1, 1) * FULL_SCALE).astype(np.int16)
    with (
        av.open(io.BytesIO(video), "r") as source,
        av.open(target, "w", format="mp4") as container,
    ):
        pictures = source.streams.video[0]
        shown = container.add_stream_from_template(pictures)
        heard = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = shown
                container.mux(packet)
        for start in range(0, len(pcm), 1024):
            part = np.ascontiguousarray(pcm[None, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            container.mux(heard.encode(frame))
        container.mux(heard.encode(None))
    return target.getvalue()
