from __future__ import annotations

import pytest
from torch import Tensor

from models.errors import ConfigError
from models.wan.masks import BlockCausal, token_mask


def rows(mask: Tensor) -> list[str]:
    return ["".join(str(int(v)) for v in row) for row in mask.tolist()]


def test_a_frame_sees_to_the_end_of_its_chunk_and_all_before() -> None:
    assert rows(BlockCausal(chunk_frames=2).frame_mask(5)) == [
        "11000",
        "11000",
        "11110",
        "11110",
        "11111",
    ]


def test_capacity_counts_the_own_chunk_and_the_sink() -> None:
    stream = BlockCausal(chunk_frames=2, capacity_frames=4, sink_frames=1)
    assert rows(stream.frame_mask(8))[::2] == ["11000000", "11110000", "10011100", "10000111"]


def test_first_frame_alone_shifts_the_chunks() -> None:
    stream = BlockCausal(chunk_frames=2, is_first_frame_alone=True)
    assert stream.chunk_sizes(4) == [1, 2, 1]
    assert rows(stream.frame_mask(4)) == ["1000", "1110", "1110", "1111"]


def test_noised_frames_see_their_chunk_and_earlier_clean_ones() -> None:
    assert rows(BlockCausal(chunk_frames=1).teacher_forcing_mask(3)) == [
        "100000",
        "110000",
        "111000",
        "000100",
        "100010",
        "110001",
    ]


def test_tokens_of_a_frame_share_its_row() -> None:
    mask = token_mask(BlockCausal(chunk_frames=1).frame_mask(2), 2)
    assert rows(mask) == ["1100", "1100", "1111", "1111"]


def test_impossible_streams_are_refused() -> None:
    with pytest.raises(ConfigError, match="chunk_frames=0"):
        BlockCausal(chunk_frames=0)
    with pytest.raises(ConfigError, match="capacity_frames=1 is less than chunk_frames=2"):
        BlockCausal(chunk_frames=2, capacity_frames=1)
