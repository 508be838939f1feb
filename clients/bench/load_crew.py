"""The processes that the clients run in: starts them, gives orders, asks what they saw."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from types import TracebackType
from typing import Any, Self

from clients.bench.load_errors import LoadError

STARTING_S = 60.0
ANSWERING_S = 30.0  # a process that gets no core answers late
LEAVING_S = 15.0
MOST_LINE = 1 << 22  # a look at a process of hundreds of clients


class Crew:
    """So many processes. Use it by `async with`; leaving it lets every client leave."""

    def __init__(self, url: str, token: str, processes: int) -> None:
        self._url = url
        self._token = token
        self._count = processes
        self._processes: list[asyncio.subprocess.Process] = []
        self._next = 0

    async def __aenter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._processes.append(await _started())
            for process in self._processes:
                _tell(process, {"url": self._url, "token": self._token})
            for process in self._processes:
                await _answer(process, STARTING_S)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    def come(self, order: dict[str, Any]) -> None:
        """Let a client come, in the process whose turn it is."""
        _tell(self._processes[self._next % self._count], order)
        self._next += 1

    async def look(self) -> list[dict[str, Any]]:
        """Ask every process what happened since the last look.

        Raises:
            LoadError: when one has died, or does not answer.
        """
        for process in self._processes:
            _tell(process, {"do": "look"})
        return [await _answer(process, ANSWERING_S) for process in self._processes]

    async def _close(self) -> None:
        for process in self._processes:
            with contextlib.suppress(LoadError):
                _tell(process, {"do": "leave"})
        await asyncio.gather(*(_ended(process) for process in self._processes))


async def _started() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "clients.bench.load_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MOST_LINE,
    )


def _tell(process: asyncio.subprocess.Process, order: dict[str, Any]) -> None:
    """Give an order; lines are so few and short that the pipe takes them at once.

    Raises:
        LoadError: when the process has died.
    """
    if process.stdin is None or process.stdin.is_closing() or process.returncode is not None:
        raise _died(process)
    process.stdin.write(json.dumps(order).encode() + b"\n")


async def _answer(process: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
    if process.stdout is None:
        raise _died(process)
    try:
        async with asyncio.timeout(seconds):
            line = await process.stdout.readline()
    except TimeoutError as error:
        raise LoadError(
            f"a process of clients did not answer for {seconds:.0f} s: this machine is too busy; "
            "let fewer clients come"
        ) from error
    if not line:
        raise _died(process)
    return dict(json.loads(line))


def _died(process: asyncio.subprocess.Process) -> LoadError:
    return LoadError(f"a process of clients ended with code {process.returncode}; see above")


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait until a process is gone; help after a while."""
    try:
        async with asyncio.timeout(LEAVING_S):
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
