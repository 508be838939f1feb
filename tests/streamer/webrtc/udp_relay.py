"""A bad network on loopback: forwards datagrams between a client and a server, or does not."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any

import numpy as np

Address = tuple[str, int]
HOST = "127.0.0.1"
CANDIDATE = re.compile(
    r"(a=candidate:\S+ \d+ udp \d+ )127\.0\.0\.1 (\d+)( typ host)", re.IGNORECASE
)


class _Side(asyncio.DatagramProtocol):
    """One socket: hands what it gets to the other side, on to where that one sends."""

    def __init__(self, relay: UdpRelay) -> None:
        self.relay = relay
        self.other: _Side
        self.to: Address | None = None
        self.transport: asyncio.DatagramTransport

    def itself(self) -> _Side:
        return self

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.to = self.to or addr
        self.relay.carry(self.other, data)


class UdpRelay:
    """One client's way to the server. Loss, jitter (which reorders) and outages may be set."""

    def __init__(self, seed: int = 0) -> None:
        self.loss = 0.0
        self.jitter = 0.0  # seconds, at most
        self.is_down = False
        self.carried = self.dropped = 0
        self._random = np.random.default_rng(seed)
        self._near, self._far = _Side(self), _Side(self)
        self._near.other, self._far.other = self._far, self._near

    async def __aenter__(self) -> UdpRelay:
        loop = asyncio.get_running_loop()
        for side in (self._near, self._far):
            await loop.create_datagram_endpoint(partial(_Side.itself, side), local_addr=(HOST, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._near.transport.close()
        self._far.transport.close()
        await asyncio.sleep(0)

    def hide_client(self, offer: str) -> str:
        """Take the client's own addresses out of its offer: it is met through us alone."""
        hidden = ("a=candidate", "a=end-of-candidates")
        lines = [line for line in offer.splitlines() if not line.startswith(hidden)]
        return "\r\n".join(lines) + "\r\n"

    def hide_server(self, answer: str) -> str:
        """Put us in the place of the server's address in its answer."""
        found = CANDIDATE.search(answer)
        assert found is not None
        self._far.to = (HOST, int(found[2]))
        port = self._near.transport.get_extra_info("sockname")[1]
        return CANDIDATE.sub(rf"\g<1>{HOST} {port}\g<3>", answer)

    def carry(self, side: _Side, data: bytes) -> None:
        if self.is_down or self._random.random() < self.loss:
            self.dropped += 1
            return
        self.carried += 1
        wait = float(self._random.uniform(0, self.jitter))
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send, side, data)
        else:
            self._send(side, data)

    def _send(self, side: _Side, data: bytes) -> None:
        if side.to is not None and not side.transport.is_closing():
            side.transport.sendto(data, side.to)
