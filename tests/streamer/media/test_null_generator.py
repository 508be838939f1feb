from __future__ import annotations

import numpy as np
import pytest

from engines.errors import InputError
from streamer.media.null_generator import LOUDEST, NullGenerator, read_opening
from streamer.media.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Generator, Samples


def tone(frames: int, rms: float) -> Samples:
    t = np.arange(frames * SAMPLES_PER_FRAME) / SAMPLE_RATE
    return np.asarray(rms * np.sqrt(2) * np.sin(2 * np.pi * 200 * t), np.float32)


def seated(people: int = 2, **kwargs: int) -> NullGenerator:
    generator = NullGenerator(people, (448, 256), **kwargs)
    for seat in range(people):
        generator.join(seat)
    return generator


def test_it_is_what_a_room_asks_for() -> None:
    generator: Generator = NullGenerator()
    assert generator.chunk_samples == generator.frames_per_chunk * SAMPLE_RATE // FPS


def test_a_mouth_opens_in_the_frame_whose_sound_is_loud_and_only_its_own() -> None:
    generator = seated(chunk_frames=5, look_ahead_samples=0)
    voice = tone(5, 0.0)
    voice[2 * SAMPLES_PER_FRAME : 3 * SAMPLES_PER_FRAME] = tone(1, LOUDEST / 2)
    generator.push(1, voice)
    chunk = generator.make_chunk()
    left = [read_opening(frame, 0, 2) for frame in chunk.frames]
    right = [read_opening(frame, 1, 2) for frame in chunk.frames]
    assert left == [0.0] * 5
    assert right == pytest.approx([0, 0, 0.5, 0, 0], abs=0.01)
    assert chunk.missing_samples == (5 * SAMPLES_PER_FRAME, 0)


def test_every_sample_is_shown_once_across_chunks_and_look_ahead() -> None:
    generator = seated(1, chunk_frames=4, look_ahead_samples=1280)
    voice = np.random.default_rng(1).normal(0, 0.1, 10 * 2560 + 1280).astype(np.float32)
    generator.push(0, voice)
    chunks = [generator.make_chunk() for _ in range(10)]
    assert np.array_equal(np.concatenate([c.audio[0] for c in chunks]), voice[: 10 * 2560])
    assert [c.position for c in chunks] == list(range(0, 40, 4))
    assert generator.queued_samples(0) == 0


def test_barge_in_drops_what_is_queued_and_what_was_heard_ahead() -> None:
    generator = seated(1, chunk_frames=4, look_ahead_samples=1280)
    generator.push(0, tone(40, 0.2))
    generator.make_chunk()
    dropped = generator.clear(0)
    assert dropped == 40 * SAMPLES_PER_FRAME - generator.chunk_samples
    assert not generator.make_chunk().audio.any()


def test_the_same_voices_give_the_same_bytes() -> None:
    made = []
    for _ in range(2):
        generator = seated(chunk_frames=3)
        generator.push(0, tone(9, 0.1))
        made.append(np.concatenate([generator.make_chunk().frames for _ in range(3)]).tobytes())
    assert made[0] == made[1]


def test_it_refuses_as_the_real_stream_does() -> None:
    generator = NullGenerator(1)
    with pytest.raises(InputError, match="join it first"):
        generator.push(0, tone(1, 0.1))
    with pytest.raises(InputError, match="no seat 1"):
        generator.join(1)
    generator.join(0)
    with pytest.raises(InputError, match="taken"):
        generator.join(0)
    generator.leave(0)
    generator.close()
    with pytest.raises(InputError, match="closed"):
        generator.make_chunk()
    with pytest.raises(InputError, match="pixels"):
        NullGenerator(8, (64, 64))
