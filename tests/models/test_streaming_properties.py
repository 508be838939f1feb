"""What must hold for every transformer that streams, whatever binds its voices."""

from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError, InputError
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.masks import BlockCausal
from tests.models import streams, tiny
from tests.models.streams import Network

KEEP_ALL = CacheSpec(sink_frames=1, capacity_frames=None)
ROLLING = CacheSpec(sink_frames=1, capacity_frames=4)


@pytest.fixture(params=streams.every_network(), ids=lambda network: network.name)
def network(request: pytest.FixtureRequest) -> Network:
    given: Network = request.param
    return given


def test_stream_equals_whole(network: Network) -> None:
    given = tiny.inputs(frames=6)
    whole = network.whole(given, BlockCausal(chunk_frames=2))
    torch.testing.assert_close(network.streamed(given, [2, 2, 2], KEEP_ALL), whole)


def test_rolling_stream_equals_whole_with_the_same_sink_and_window(network: Network) -> None:
    given = tiny.inputs(frames=8)
    stream = BlockCausal(chunk_frames=2, capacity_frames=4, sink_frames=1)
    rolled = network.streamed(given, [2, 2, 2, 2], ROLLING)
    torch.testing.assert_close(rolled, network.whole(given, stream))
    unlimited = network.streamed(given, [2, 2, 2, 2], KEEP_ALL)
    assert not torch.allclose(rolled, unlimited), "the window never mattered"


def test_clip_is_the_stream_of_one_chunk(network: Network) -> None:
    given = tiny.inputs(frames=3)
    torch.testing.assert_close(network.streamed(given, [3], KEEP_ALL), network.whole(given))


def test_later_input_never_changes_earlier_output(network: Network) -> None:
    given = tiny.inputs(frames=6)
    changed = given._replace(latent=given.latent.clone(), windows=given.windows.clone())
    changed.latent[:, :, 4:] += 1
    changed.windows[:, :, 1 + 3 * 4 :] += 1  # the video frames of latent frames 4 and 5
    before = network.streamed(given, [2, 2, 2], KEEP_ALL)
    after = network.streamed(changed, [2, 2, 2], KEEP_ALL)
    assert torch.equal(before[:, :, :4], after[:, :, :4])
    assert not torch.equal(before[:, :, 4:], after[:, :, 4:])


def test_past_matters(network: Network) -> None:
    given = tiny.inputs(frames=4)
    changed = given._replace(latent=given.latent.clone())
    changed.latent[:, :, :2] += 1
    before, after = (network.chunks(g, [2, 2], KEEP_ALL)[1] for g in (given, changed))
    assert not torch.allclose(before, after)


def test_two_interleaved_streams_equal_two_alone_bit_for_bit(network: Network) -> None:
    first, second = tiny.inputs(frames=6, seed=1), tiny.inputs(frames=6, seed=2)
    alone = [network.chunks(given, [2, 2, 2], ROLLING) for given in (first, second)]
    caches = [KVCache(ROLLING), KVCache(ROLLING)]
    for step in range(3):
        for index, given in enumerate((first, second)):
            velocity, caches[index] = network.advance(given, caches[index], 2 * step, 2)
            assert torch.equal(velocity, alone[index][step])


def test_a_past_can_be_branched_because_nothing_writes_to_it(network: Network) -> None:
    given, other = tiny.inputs(frames=4, seed=1), tiny.inputs(frames=4, seed=2)
    _, past = network.advance(given, KVCache(ROLLING), 0, 2)
    once, _ = network.advance(given, past, 2, 2)
    network.advance(other, past, 2, 2)
    again, _ = network.advance(given, past, 2, 2)
    assert torch.equal(once, again)


def test_global_random_state_is_neither_used_nor_changed(network: Network) -> None:
    given = tiny.inputs(frames=4)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        state = torch.random.get_rng_state()
        first = network.streamed(given, [2, 2], ROLLING)
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.manual_seed(2)
        assert torch.equal(network.streamed(given, [2, 2], ROLLING), first)


def test_batch_equals_each_alone(network: Network) -> None:
    given = tiny.inputs(frames=3, batch=2)
    both = network.whole(given)
    for row in range(2):
        alone = given._replace(
            **{
                name: getattr(given, name)[row : row + 1]
                for name in given._fields
                if name != "prompt"
            }
        )
        torch.testing.assert_close(both[row : row + 1], network.whole(alone))


def test_rebasing_changes_nothing_without_a_sink() -> None:
    network, given = streams.wan(), tiny.inputs(frames=10)
    far = CacheSpec(sink_frames=0, capacity_frames=4)
    near = CacheSpec(sink_frames=0, capacity_frames=4, max_position=6)
    torch.testing.assert_close(
        network.streamed(given, [2] * 5, near),
        network.streamed(given, [2] * 5, far),
        atol=1e-5,
        rtol=1e-4,
    )


def test_rebasing_keeps_the_sink_as_far_as_when_the_window_first_filled(network: Network) -> None:
    given = tiny.inputs(frames=12)
    spec = CacheSpec(sink_frames=1, capacity_frames=4, max_position=5)
    cache, start = KVCache(spec), 0
    for _ in range(6):
        past = cache.make_room(2)
        assert past.next_position + 2 <= spec.max_position
        velocity, cache = network.advance(given, cache, start, 2)
        assert torch.isfinite(velocity).all()
        start += 2


def test_positions_stay_in_the_published_table_for_three_days() -> None:
    spec = CacheSpec(sink_frames=3, capacity_frames=21)
    cache = KVCache(spec, (), 21, 21, 6)
    highest = 0
    for _ in range(3 * 24 * 3600 * 25 // 4 // 3):  # chunks of three latent frames
        past = cache.make_room(3)
        highest = max(highest, past.next_position + 2)
        # Only counts are needed here: `append` without its tensors.
        cache = KVCache(spec, (), past.frames + 3, past.next_position + 3, 6)
    assert 1000 < highest < 1024


def test_an_unbounded_stream_ends_with_a_clear_error() -> None:
    spec = CacheSpec(sink_frames=0, capacity_frames=None, max_position=5)
    cache = KVCache(spec, (), 4, 4, 6)
    with pytest.raises(InputError, match=r"keeps all its 4 latent frames.*capacity_frames"):
        cache.make_room(2)


def test_a_chunk_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="must exceed sink_frames=4"):
        CacheSpec(sink_frames=4, capacity_frames=4)
    with pytest.raises(InputError, match="does not fit beside 1 sink frames"):
        KVCache(ROLLING, (), 4, 4, 6).make_room(4)


def test_a_stream_keeps_one_resolution() -> None:
    network, given = streams.wan(), tiny.inputs(frames=4)
    _, cache = network.advance(given, KVCache(ROLLING), 0, 2)
    smaller = given._replace(latent=given.latent[..., :4])
    with pytest.raises(InputError, match="a stream keeps one resolution"):
        network.advance(smaller, cache, 2, 2)
