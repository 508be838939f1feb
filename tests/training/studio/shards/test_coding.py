from __future__ import annotations

import numpy as np

from training.studio.shards.coding import (
    Pixels,
    decode_video,
    decode_voice,
    encode_video,
    encode_voice,
)


def numbered(frames: int) -> list[Pixels]:
    """Pictures whose brightness is their number."""
    return [np.full((32, 64, 3), 20 + 3 * index, np.uint8) for index in range(frames)]


def test_pictures_come_back_in_order_from_any_start() -> None:
    data = encode_video(numbered(60))
    for start in (0, 1, 24, 25, 26, 51):
        stretch = decode_video(data, start, 5)
        assert stretch.shape == (5, 32, 64, 3)
        brightness = stretch.reshape(5, -1).mean(1)
        assert np.abs(brightness - (20 + 3 * np.arange(start, start + 5))).max() < 2


def test_fewer_pictures_come_back_at_the_end() -> None:
    assert len(decode_video(encode_video(numbered(10)), 8, 5)) == 2


def test_the_same_input_gives_the_same_bytes() -> None:
    assert encode_video(numbered(30)) == encode_video(numbered(30))
    voice = np.linspace(-1, 1, 16000, dtype=np.float32)
    assert encode_voice(voice) == encode_voice(voice)


def test_a_voice_comes_back_within_a_16_bit_step() -> None:
    voice = np.sin(np.arange(12345) / 9).astype(np.float32)
    got = decode_voice(encode_voice(voice))
    assert got.shape == voice.shape
    assert np.abs(got - voice).max() < 1.01 / 32767


def test_a_voice_beyond_full_scale_is_clipped_not_wrapped() -> None:
    got = decode_voice(encode_voice(np.array([2.0, -2.0] * 100, np.float32)))
    assert got.max() == 1
    assert got.min() == -1
