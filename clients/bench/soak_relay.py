"""A bad network on this machine: datagrams between one client and the server, of which some go."""

from __future__ import annotations

import asyncio
import re
import socket
from functools import partial
from typing import Any, Self

import numpy as np

from clients.bench.load_errors import LoadError

Address = tuple[str, int]
CANDIDATE = re.compile(
    r"(a=candidate:\S+ \d+ udp \d+ )(\d+\.\d+\.\d+\.\d+) (\d+)( typ host)", re.IGNORECASE
)
DISCARD_PORT = 9  # nothing is sent there: a socket that is connected to it knows its own address


class _Side(asyncio.DatagramProtocol):
    """One socket: what it gets leaves by the other one."""

    def __init__(self, relay: LossyRelay) -> None:
        self.relay = relay
        self.other: _Side
        self.to: Address | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def itself(self) -> _Side:
        return self

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.to = self.to or addr
        self.relay.carry(self.other, data)


class LossyRelay:
    """One client's way to a server, both directions. Use it by `async with`.

    Args:
        loss: share of the datagrams that get lost.
        seed: of which ones.
        server: host of the server; the relay listens at the address from which it is reached.
    """

    def __init__(self, loss: float, seed: int, server: str) -> None:
        self.carried = self.dropped = 0
        self._loss = loss
        self._host = _own_address(server)
        self._random = np.random.default_rng(seed)
        self._near, self._far = _Side(self), _Side(self)
        self._near.other, self._far.other = self._far, self._near

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for side in (self._near, self._far):
            await loop.create_datagram_endpoint(
                partial(_Side.itself, side), local_addr=(self._host, 0)
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for side in (self._near, self._far):
            if side.transport is not None:
                side.transport.close()
        await asyncio.sleep(0)  # transports close in the next turn of the loop

    def hide_client(self, offer: str) -> str:
        """Take the client's own addresses out of its offer: the server meets us instead."""
        hidden = ("a=candidate", "a=end-of-candidates")
        lines = [line for line in offer.splitlines() if not line.startswith(hidden)]
        return "\r\n".join(lines) + "\r\n"

    def hide_server(self, answer: str) -> str:
        """Put us in the place of the server's addresses in its answer.

        Raises:
            LoadError: when it has none that we reach.
        """
        found = [each for each in CANDIDATE.finditer(answer)]
        fitting = [each for each in found if each[2] == self._host] or found
        if not fitting or self._near.transport is None:
            raise LoadError("the server's answer has no IPv4 address that a relay could reach")
        self._far.to = (fitting[0][2], int(fitting[0][3]))
        port = self._near.transport.get_extra_info("sockname")[1]
        ours = rf"\g<1>{self._host} {port}\g<4>"
        # Once for each section: the others would be the same address again.
        kept = [
            CANDIDATE.sub(ours, line)
            for line in answer.splitlines()
            if not line.startswith("a=candidate") or line in _of(fitting[0], answer)
        ]
        return "\r\n".join(kept) + "\r\n"

    def carry(self, side: _Side, data: bytes) -> None:
        """Pass a datagram on, or lose it."""
        if self._random.random() < self._loss:
            self.dropped += 1
            return
        self.carried += 1
        if side.to is not None and side.transport is not None and not side.transport.is_closing():
            side.transport.sendto(data, side.to)


def _of(chosen: re.Match[str], answer: str) -> list[str]:
    """Lines of an answer with the address that was chosen."""
    where = f" {chosen[2]} {chosen[3]} "
    return [
        line for line in answer.splitlines() if line.startswith("a=candidate") and where in line
    ]


def _own_address(server: str) -> str:
    """Give the address of this machine from which a server is reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        try:
            found.connect((server, DISCARD_PORT))
        except OSError as error:
            raise LoadError(f"{server} cannot be reached by IPv4: {error.strerror}") from error
        return str(found.getsockname()[0])
