"""`parley serve --cluster` on two Ray nodes, as processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from streamer.http.tokens import Claims, TokenKey
from tests.streamer.http.house import KEY

ROOT = Path(__file__).parents[3]
PATIENCE = 120.0  # seconds, for a loaded machine
SLOTS = 2  # of each node
TRIES = 3  # Ray gives a node 30 s to start, which is little on a loaded machine
# Nothing is reported to anybody, and Ray stays on loopback: by itself it takes 127.0.0.1 for the
# machine's address in the network, but on other systems than Linux.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
PLENTY = '{"burst": 100000, "per_minute": 1000000}'
SETTINGS = (
    f"limits.rooms={SLOTS}",
    "engine.null_width=128",
    "engine.null_height=64",
    f"auth.key={KEY}",
    "auth.mode=on",
    *(f"rates.{name}={PLENTY}" for name in ("post", "patch", "delete", "socket")),
)


def environment() -> dict[str, str]:
    # Without the debug mode that tests give asyncio: real time is the subject.
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONASYNCIODEBUG"}, **QUIET}


def token(role: str = "admin", room: str = "*") -> str:
    """Make a token without a name, as anybody's library does."""
    claims = Claims.model_validate({"room": room, "role": role, "exp": time.time() + 3600})
    return TokenKey(KEY.encode()).sign(claims)


def wait_for(is_so: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Wait until something is so, and give how long that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass(frozen=True)
class Front:
    """A running front."""

    url: str
    process: subprocess.Popen[str]
    http: httpx2.Client
    log: Path

    def workers(self) -> list[dict[str, Any]]:
        answer = self.http.get("/workers")
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def worker_of(self, room: str) -> dict[str, Any]:
        return next(each for each in self.workers() if room in each["rooms"])

    def open_room(self, **wish: Any) -> str:
        answer = self.http.post("/rooms", json={"scene": "null", **wish})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def where(self, room: str) -> httpx2.Response:
        return self.http.get(f"/rooms/{room}")

    def clear(self) -> None:
        """Leave the two workers that there were, and no room."""
        wait_for(lambda: len(self.workers()) == 2)
        for worker in self.workers():
            for room in worker["rooms"]:
                self.http.delete(f"/rooms/{room}", follow_redirects=True)
        wait_for(lambda: not any(each["rooms"] for each in self.workers()))


def is_elsewhere(front: Front, room: str, url: str) -> bool:
    """Say whether a room is on another worker than the one at a URL."""
    answer = front.where(room)
    return answer.status_code == 307 and not answer.headers["location"].startswith(url)


@contextmanager
def two_nodes(slots: int = SLOTS) -> Iterator[str]:
    """Run a Ray cluster of two nodes; gives its address."""
    command = [sys.executable, "-m", "tests.streamer.cluster.two_nodes", str(slots)]
    with tempfile.TemporaryFile("w+") as errors:
        for _ in range(TRIES):
            with subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process:
                assert process.stdout is not None
                lines = (line for line in process.stdout if line.startswith("cluster at "))
                said = next(lines, "")
                if said:
                    yield said.split()[-1]
                    process.communicate(timeout=PATIENCE)  # closes its input: that ends it
                    return
        errors.seek(0)
        raise AssertionError(f"Ray did not start: {errors.read()[-2000:]}")


@contextmanager
def front_on(address: str, *settings: str, generator: str = "null") -> Iterator[Front]:
    """Run a front, and wait for a worker on each node."""
    command = [sys.executable, "-m", "parley", "serve", "--cluster", "--generator", generator]
    for each in ("server.port=0", f"cluster.address={address}", *SETTINGS, *settings):
        command += ["--set", each]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            assert process.stdout is not None
            found = re.search(r"Parley listens on (\S+)", process.stdout.readline())
            assert found is not None, log.read_text()
            bearer = {"Authorization": f"Bearer {token()}"}
            with httpx2.Client(base_url=found[1], headers=bearer, timeout=30) as http:
                front = Front(found[1], process, http, log)
                wait_for(lambda: len(front.workers()) == 2)
                yield front
        finally:
            process.terminate()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()
