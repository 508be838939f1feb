"""A server of the bench's own: `parley serve` on a free port, as anybody starts it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from clients.bench.load_errors import LoadError

LISTENS = re.compile(r"Parley listens on (\S+)")
STARTING_S = 120.0  # a bundle is loaded and tried before it serves
STOPPING_S = 15.0
TOLD_LINES = 3
# Every client comes from one address here, which a server's limits take for one stranger.
OPEN = (
    "server.port=0",
    "logs.level=warning",
    'rates.post={"burst": 1000, "per_minute": 10000}',
    'rates.delete={"burst": 1000, "per_minute": 10000}',
    'rates.socket={"burst": 1000, "per_minute": 10000}',
)


@asynccontextmanager
async def serving(
    url: str, *, bundle: Path | None, generator: str, settings: Sequence[str] = ()
) -> AsyncIterator[str]:
    """Give the URL of a server: the one that is named, else one that lives as long as this.

    Raises:
        LoadError: when it does not start; the sentence has what it said last.
    """
    if url:
        yield url.rstrip("/")
        return
    command = [sys.executable, "-m", "parley", "serve"]
    if generator:
        command += ["--generator", generator]
    if bundle is not None:
        command += ["--bundle", str(bundle)]
    for each in (*OPEN, *settings):
        command += ["--set", each]
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            yield await _address(process)
        except TimeoutError as error:
            raise LoadError(f"parley serve said nothing for {STARTING_S:.0f} s") from error
        except EOFError as error:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-TOLD_LINES:]
            raise LoadError(f"parley serve did not start: {' / '.join(last)}") from error
        finally:
            await _stop(process)


async def _address(process: asyncio.subprocess.Process) -> str:
    """Wait for the line that has it.

    Raises:
        EOFError: when the process ended.
        TimeoutError: when it says nothing.
    """
    if process.stdout is None:
        raise EOFError
    async with asyncio.timeout(STARTING_S):
        while line := await process.stdout.readline():
            found = LISTENS.search(line.decode(errors="replace"))
            if found is not None:
                return found[1].rstrip("/")
    raise EOFError


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOPPING_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
