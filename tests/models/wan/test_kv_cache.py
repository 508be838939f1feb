from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from models.errors import InputError
from models.wan.kv_cache import CacheSpec, KVCache, LayerKV

TOKENS = 2  # a latent frame


def frames(*numbers: int) -> tuple[LayerKV, ...]:
    """One layer whose values hold the number of their frame."""
    marked = torch.tensor(numbers, dtype=torch.float32).repeat_interleave(TOKENS)
    value = marked.reshape(1, 1, -1, 1).expand(1, 1, -1, 8).clone()
    return (LayerKV(value.clone(), value),)


def held(cache: KVCache) -> list[int]:
    return [int(x) for x in cache.layers[0].v[0, 0, ::TOKENS, 0]]


def roll(spec: CacheSpec, chunks: Sequence[tuple[int, ...]]) -> KVCache:
    cache = KVCache(spec)
    for chunk in chunks:
        cache = cache.make_room(len(chunk)).append(frames(*chunk), len(chunk))
    return cache


def test_sink_stays_and_window_moves() -> None:
    spec = CacheSpec(sink_frames=1, capacity_frames=5)
    chunks = [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert held(roll(spec, chunks).make_room(2)) == [0, 6, 7]
    assert held(roll(spec, chunks)) == [0, 4, 5, 6, 7]


def test_without_a_sink_only_the_newest_stay() -> None:
    spec = CacheSpec(sink_frames=0, capacity_frames=4)
    assert held(roll(spec, [(0, 1), (2, 3), (4, 5)])) == [2, 3, 4, 5]


def test_without_a_capacity_everything_stays() -> None:
    spec = CacheSpec(sink_frames=0, capacity_frames=None)
    assert held(roll(spec, [(0, 1), (2, 3), (4, 5)])) == list(range(6))


def test_a_sink_longer_than_the_first_chunk_fills_with_the_next() -> None:
    spec = CacheSpec(sink_frames=3, capacity_frames=6)
    assert held(roll(spec, [(0, 1), (2, 3), (4, 5), (6, 7)]).make_room(2)) == [0, 1, 2, 7]


def test_positions_go_on_counting_while_frames_are_evicted() -> None:
    cache = roll(CacheSpec(sink_frames=0, capacity_frames=2), [(0, 1), (2, 3), (4, 5)])
    assert list(cache.positions(2)) == [6, 7]
    assert cache.frames == 2


def test_rebasing_turns_the_window_and_leaves_the_sink() -> None:
    spec = CacheSpec(sink_frames=1, capacity_frames=4, max_position=8)
    cache = roll(spec, [(0, 1), (2, 3), (4, 5), (6, 7)])
    past = cache.make_room(2)
    assert held(past) == [0, 7]
    assert list(past.positions(2)) == [2, 3]
    assert torch.equal(past.layers[0].k[:, :, :TOKENS], cache.layers[0].k[:, :, :TOKENS])
    assert not torch.equal(past.layers[0].k[:, :, TOKENS:], past.layers[0].v[:, :, TOKENS:])


def test_a_cache_is_a_value() -> None:
    cache = roll(CacheSpec(sink_frames=1, capacity_frames=3, max_position=4), [(0,), (1, 2)])
    before = cache.layers[0].k.clone()
    cache.make_room(2).append(frames(3, 4), 2).make_room(2)
    assert torch.equal(cache.layers[0].k, before)
    assert cache.frames == 3


def test_a_chunk_of_another_resolution_is_refused() -> None:
    cache = roll(CacheSpec(sink_frames=0, capacity_frames=4), [(0, 1)])
    with pytest.raises(InputError, match="chunk of 4 tokens in 1 latent frames does not fit"):
        cache.append(frames(2, 3), 1)
