"""One process of clients: `python -m clients.bench.load_worker`, driven by lines of JSON.

It reads orders on its standard input and answers on its standard output. The first order carries
the server and the token, which therefore is in no process list. When the input ends, it leaves.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time
from typing import Any

import httpx2

from clients.bench.load_bot import Bot, new_bot
from clients.bench.load_viewer import Viewer

EVERY_S = 0.02  # between two looks at this loop's own lateness
LEAVING_S = 10.0
HTTP_S = 20.0
MOST_LINE = 1 << 20


class Worker:
    """The clients of this process."""

    def __init__(self, http: httpx2.AsyncClient, server: str, token: str) -> None:
        self._http = http
        self._server = server
        self._token = token
        self._clients: list[Viewer | Bot] = []
        self._joining: set[asyncio.Task[None]] = set()
        self._late_s: list[float] = []
        self._looked = time.monotonic()
        self._cpu_s = time.process_time()

    async def watch_lateness(self) -> None:
        """Note how late this loop runs what is due, until cancelled."""
        while True:
            due = time.monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._late_s.append(max(0.0, time.monotonic() - due))

    def come(self, order: dict[str, Any]) -> None:
        """Let a client come."""
        client: Viewer | Bot
        if order["do"] == "viewer":
            client = Viewer(self._http, self._server, order["room"])
        else:
            client = new_bot(self._server, order["room"], order["seat"], self._token, order["seed"])
        self._clients.append(client)
        task = asyncio.create_task(client.join(), name=f"join {order['do']}")
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def look(self) -> dict[str, Any]:
        """Tell what happened since the last look."""
        now, cpu_s = time.monotonic(), time.process_time()
        late = sorted(self._late_s)
        told = {
            "window_s": now - self._looked,
            "cpu_s": cpu_s - self._cpu_s,
            "late_p99_s": late[int(0.99 * (len(late) - 1))] if late else 0.0,
            "clients": [client.look() for client in self._clients],
        }
        self._looked, self._cpu_s = now, cpu_s
        self._late_s.clear()
        return told

    async def leave(self) -> None:
        """Let all clients leave, for at most ten seconds."""
        for task in self._joining:
            task.cancel()
        await asyncio.gather(*self._joining, return_exceptions=True)
        leaving = [asyncio.create_task(client.leave()) for client in self._clients]
        if leaving:
            _, hanging = await asyncio.wait(leaving, timeout=LEAVING_S)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)


async def run() -> None:
    """Follow orders until the last one, or until nobody is left to give one."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(MOST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    first = json.loads(await reader.readline())
    token = first["token"]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # A connection for each request, as clients of their own have.
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        headers=headers, timeout=HTTP_S, follow_redirects=True, limits=limits
    ) as http:
        worker = Worker(http, first["url"], token)
        watch = asyncio.create_task(worker.watch_lateness(), name="lateness")
        _say({"ready": True})
        try:
            while line := await reader.readline():
                order = json.loads(line)
                match order["do"]:
                    case "look":
                        _say(worker.look())
                    case "leave":
                        break
                    case _:
                        worker.come(order)
        finally:
            watch.cancel()
            await worker.leave()


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run; an interrupt of the terminal is for whoever gives the orders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)  # of aiortc: what fails is counted, not logged
    asyncio.run(run())


if __name__ == "__main__":
    main()
