"""Sound encoded once for all who hear the same mix, however many connections ask for it.

A room gives the same array to every viewer of a mix. Whoever is first to send it encodes it, with
the encoder that encoded the array before; the others find the packets. Nothing is kept longer than
somebody holds the array.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.media.opus import OpusEncoder

Block = NDArray[np.int16]  # [n * 960] at 48 kHz, mono


class _Entry:
    def __init__(self, packets: list[bytes], encoder: OpusEncoder) -> None:
        self.packets = packets
        self.encoder: OpusEncoder | None = encoder  # until the next array takes it on


class OpusRelay:
    """All connections of a server share one. On the event loop; a block takes about 1 ms."""

    def __init__(self, bitrate: int = 40_000) -> None:
        self.encoded = 0  # blocks
        self.encoders = 0  # made
        self._bitrate = bitrate
        self._entries: dict[int, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def packets(self, block: Block, before: Block | None) -> list[bytes]:
        """Give the Opus packets of 20 ms each for a block.

        Args:
            block: must not be written to any more.
            before: the block that its receiver had before, None at first.
        """
        entry = self._entries.get(id(block))
        if entry is None:
            encoder = self._encoder_after(before)
            entry = _Entry(encoder.encode(np.asarray(block / 32768, np.float32)), encoder)
            self._keep(block, entry)
            self.encoded += 1
        return entry.packets

    def _encoder_after(self, before: Block | None) -> OpusEncoder:
        entry = None if before is None else self._entries.get(id(before))
        if entry is None or entry.encoder is None:
            self.encoders += 1
            return OpusEncoder(self._bitrate)
        encoder, entry.encoder = entry.encoder, None
        return encoder

    def _keep(self, block: NDArray[Any], entry: _Entry) -> None:
        key = id(block)
        self._entries[key] = entry
        # While the array lives, nothing else has its id; when it goes, so does the entry.
        weakref.finalize(block, self._entries.pop, key, None)
