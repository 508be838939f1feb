"""Runs the echo server in a process of its own, so that its delays wait for nothing here."""

from __future__ import annotations

import json
import multiprocessing
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.error import URLError

import uvicorn

from clients.bench.echo import EchoedBurst, EchoLine, EchoServer
from clients.bench.errors import BenchError

HOST = "127.0.0.1"
PATIENCE_S = 30.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Echo:
    """A running echo."""

    url: str

    def bursts(self) -> list[EchoedBurst]:
        """Say what came and went so far."""
        with urllib.request.urlopen(f"{self.url}/bursts", timeout=PATIENCE_S) as answer:  # noqa: S310
            return [EchoedBurst(**each) for each in json.load(answer)]


@contextmanager
def echoing(delay_ms: float) -> Iterator[Echo]:
    """Run an echo on a free port.

    Raises:
        BenchError: when it does not start.
    """
    with socket.socket() as found:
        found.bind((HOST, 0))
        port = int(found.getsockname()[1])
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve_echo, args=(delay_ms, port), daemon=True)
    process.start()
    echo = Echo(f"http://{HOST}:{port}")
    try:
        _wait_for(echo)
        yield echo
    finally:
        process.terminate()
        process.join()


def serve_echo(delay_ms: float, port: int) -> None:
    """Serve until terminated."""
    app = EchoServer(EchoLine(delay_ms)).app()
    uvicorn.run(app, host=HOST, port=port, log_level="error")


def _wait_for(echo: Echo) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            echo.bursts()
        except URLError as error:
            if time.monotonic() > end:
                raise BenchError(f"the echo at {echo.url} did not start") from error
            time.sleep(LOOK_S)
        else:
            return
