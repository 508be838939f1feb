"""The machine under the clients: what it is, how busy it is, and how much of that is the server."""

from __future__ import annotations

import ipaddress
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import psutil

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a figure was measured on."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str


@dataclass(frozen=True, slots=True)
class CpuLook:
    """CPU time that was used up to a moment."""

    at_s: float
    busy_s: float  # of all cores
    server_s: float | None  # of the server's process and its children; None: it is not here
    server_waited_s: float | None  # in which its first thread could have run and got no core


def hardware() -> Hardware:
    """Say what this machine is."""
    return Hardware(
        processor=_processor(),
        cores=cores(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
    )


def cores() -> int:
    """Count the cores of this machine."""
    return os.cpu_count() or 1


def look(now: float, server: psutil.Process | None) -> CpuLook:
    """Read what was used up to now."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return CpuLook(now, sum(times) - idle - counted_twice, _used(server), _waited(server))


def find_server(url: str) -> psutil.Process | None:
    """Find the process that listens at a loopback address; None elsewhere, or if it is hidden."""
    parts = urlsplit(url)
    if not _is_loopback(parts.hostname or ""):
        return None
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    try:
        listening = [
            each.pid
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid
        ]
        return psutil.Process(min(listening)) if listening else None
    except psutil.Error:
        return None


def program_commit() -> str:
    """Give the commit of the clients, from their repository; else their version."""
    folder = Path(__file__).parents[2] / ".git"
    head = folder / "HEAD"
    if not head.is_file():
        return version("parley-avatar")
    text = head.read_text().strip()
    name = text.removeprefix("ref: ")
    if name == text:
        return text
    if (folder / name).is_file():
        return (folder / name).read_text().strip()
    packed = folder / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "unknown")


def _used(server: psutil.Process | None) -> float | None:
    if server is None:
        return None
    try:
        every = [server, *server.children(recursive=True)]
        return float(sum(sum(each.cpu_times()[:2]) for each in every))
    except psutil.Error:
        return None


def _waited(server: psutil.Process | None) -> float | None:
    """Read how long the thread of the event loop waited for a core; Linux alone says it."""
    if server is None:
        return None
    try:
        told = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat").read_text()
    except OSError:
        return None
    return int(told.split()[1]) / 1e9


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
