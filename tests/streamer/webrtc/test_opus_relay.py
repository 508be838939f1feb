from __future__ import annotations

import gc

import numpy as np

from streamer.media.opus import OpusDecoder
from streamer.webrtc.opus_relay import Block, OpusRelay


def tone(blocks: int, hz: float) -> list[Block]:
    t = np.arange(blocks * 1920) / 48000
    return list(np.split((8000 * np.sin(2 * np.pi * hz * t)).astype(np.int16), blocks))


def heard(relay: OpusRelay, blocks: list[Block]) -> list[bytes]:
    before: Block | None = None
    packets = []
    for block in blocks:
        packets += relay.packets(block, before)
        before = block
    return packets


def test_everybody_gets_the_same_packets_of_one_encoder() -> None:
    relay = OpusRelay()
    blocks = tone(20, 440)
    packets = [[] for _ in range(5)]  # type: list[list[bytes]]
    before: Block | None = None
    for block in blocks:
        for each in packets:
            each += relay.packets(block, before)
        before = block
    assert relay.encoded == 20
    assert all(each == packets[0] for each in packets)
    decoder = OpusDecoder()
    sound = np.concatenate([decoder.decode(p) for p in packets[0]])[4800:]
    spectrum = np.abs(np.fft.rfft(sound))
    assert round(int(np.argmax(spectrum)) * 48000 / len(sound)) in range(430, 450)


def test_mixes_do_not_meet() -> None:
    relay = OpusRelay()
    low, high = tone(10, 300), tone(10, 900)
    alone = heard(OpusRelay(), tone(10, 300))
    packets: list[bytes] = []
    for n in range(10):
        packets += relay.packets(low[n], low[n - 1] if n else None)
        relay.packets(high[n], high[n - 1] if n else None)
    assert packets == alone


def test_who_joins_later_shares_from_the_next_block_on() -> None:
    relay = OpusRelay()
    blocks = tone(10, 440)
    first = heard(relay, blocks[:5])
    assert len(first) == 10
    assert relay.packets(blocks[5], blocks[4]) == relay.packets(blocks[5], None)
    assert relay.encoded == 6


def test_nothing_is_kept_when_nobody_holds_the_sound() -> None:
    relay = OpusRelay()
    blocks = tone(10, 440)
    blocks = [block.copy() for block in blocks]
    heard(relay, blocks)
    assert len(relay) == 10
    blocks.clear()
    gc.collect()
    assert len(relay) == 0
