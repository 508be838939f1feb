from __future__ import annotations

import pytest

from engines.errors import InputError
from engines.ring import Ring


def ring(*, sink: int = 1, window: int = 4, chunk: int = 2, is_inplace: bool = False) -> Ring:
    return Ring(sink=sink, window=window, chunk=chunk, tokens=3, is_inplace=is_inplace)


@pytest.mark.parametrize("is_inplace", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_a_chunk_sees_the_sink_the_last_window_and_itself(chunk: int, is_inplace: bool) -> None:
    layout = ring(chunk=chunk, is_inplace=is_inplace)
    slots: dict[int, int] = {0: 0}  # token -> latent frame that stands there; 0 is the sink
    slots |= dict.fromkeys(range(3), 0)
    for number in range(12):
        positions = layout.positions(number)
        first = layout.first_token(number)
        new = {first + i: positions[i // 3] for i in range(layout.new_tokens)}
        mask = layout.mask(number)
        assert mask.shape == (1, 1, chunk * 3, (1 + 4 + chunk) * 3)
        row = mask[0, 0, 0]
        assert (mask == row).all()
        if is_inplace:  # the network writes before it looks
            slots |= new
            seen = {slots[token] for token in row.nonzero()[0]}
        else:
            past = {slots[t] for t in row[: layout.cached_tokens].nonzero()[0]}
            assert row[layout.cached_tokens :].all()
            seen = past | set(positions)
            slots |= new
        window = range(max(1, positions[0] - 4), positions[-1] + 1)
        assert seen == {0, *window}


def test_a_stream_begins_at_frame_1_behind_the_sink() -> None:
    assert list(ring().positions(0)) == [1, 2]
    assert list(ring().positions(3)) == [7, 8]


def test_the_sink_is_never_overwritten() -> None:
    for is_inplace in (False, True):
        layout = ring(sink=2, is_inplace=is_inplace)
        assert min(layout.first_token(number) for number in range(50)) == 2 * 3
        capacity = layout.cached_tokens + (layout.new_tokens if is_inplace else 0)
        last = max(layout.first_token(number) for number in range(50))
        assert last + layout.new_tokens == capacity


def test_the_mask_is_constant_once_the_window_is_full() -> None:
    layout = ring()
    assert layout.is_filling(2)
    assert not layout.is_filling(3)
    assert (layout.mask(2) == layout.mask(1000)).all()
    assert (layout.mask(1) != layout.mask(2)).any()


def test_while_the_sink_is_made_each_frame_sees_itself_alone() -> None:
    for is_inplace, own in ((False, 15), (True, 0)):
        mask = ring(is_inplace=is_inplace).sink_mask()[0, 0]
        assert mask.sum() == 2 * 9
        assert mask[:3, own : own + 3].all()
        assert mask[3:, own + 3 : own + 6].all()


def test_a_window_that_chunks_do_not_fill_evenly_is_refused() -> None:
    with pytest.raises(InputError, match="whole chunks of 2"):
        ring(window=5)
