"""`parley serve --generator null` as a process of its own, as anybody starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[3]
LISTENS = re.compile(r"Parley listens on (\S+)")
PLENTY = '{"burst": 100000, "per_minute": 1000000}'
RATES = tuple(f"rates.{name}={PLENTY}" for name in ("post", "patch", "delete", "socket"))
STOPPING = 15.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    http: httpx2.Client
    log: Path

    def open_room(self) -> str:
        answer = self.http.post("/rooms", json={"scene": "null"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def shown(self, room: str) -> dict[str, Any]:
        return dict(self.http.get(f"/rooms/{room}").json())

    def figure(self, name: str, labels: str = "") -> float:
        """Read one figure of /metrics; 0 where it is not there."""
        start = f"{name}{labels} "
        lines = self.http.get("/metrics").text.splitlines()
        return next((float(x.removeprefix(start)) for x in lines if x.startswith(start)), 0.0)

    @property
    def cpu_seconds(self) -> float:
        """Of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def starved_seconds(self) -> float:
        """How long its event loop could have run, and got no core."""
        thread = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/schedstat")
        return int(thread.read_text().split()[1]) / 1e9

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def status(self, name: str) -> int:
        """A number of /proc/PID/status, such as Threads, or VmRSS in kB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1])


@contextmanager
def served(*settings: str, origins: tuple[str, ...] = ()) -> Iterator[Served]:
    """Run a server on a free port of loopback; settings are NAME=VALUE."""
    chosen = ["server.port=0", *RATES, *settings]
    if origins:
        chosen.append("browser.origins=[" + ",".join(f'"{each}"' for each in origins) + "]")
    command = [sys.executable, "-m", "parley", "serve", "--generator", "null"]
    for each in chosen:
        command += ["--set", each]
    # As anybody starts it: without the debug mode that tests give asyncio, which costs half of it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONASYNCIODEBUG"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = LISTENS.search(line)
            assert found is not None, line + log.read_text()
            with httpx2.Client(base_url=found[1], timeout=30) as http:
                yield Served(found[1], process, http, log)
        finally:
            process.terminate()
            try:
                process.wait(STOPPING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
