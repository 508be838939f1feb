"""Where a worker listens, and what clients call it."""

from __future__ import annotations

import errno
import socket
from urllib.parse import urlsplit

from streamer.cluster.messages import Place
from streamer.errors import SettingsError
from streamer.http.identifiers import is_loopback
from streamer.settings import Settings

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on
PORTS_TRIED = 64


def check_host(settings: Settings) -> None:
    """Refuse an address that the machines of a cluster cannot have in common.

    Raises:
        SettingsError: when it is one machine's own.
    """
    host = settings.server.host
    if host not in EVERYWHERE and not is_loopback(host):
        raise SettingsError(
            f"server.host = {host} is the address of one machine, and every worker of a cluster "
            "listens on server.host of its own; say 0.0.0.0, or 127.0.0.1 for this machine alone"
        )


def listening_settings(settings: Settings) -> Settings:
    """Give a worker's settings with the port that it listens on.

    Raises:
        OSError: when no port is free.
    """
    host, first = settings.server.host, settings.cluster.port
    port = _free_port(host, first) if first else 0
    server = settings.server.model_copy(update={"port": port})
    return settings.model_copy(update={"server": server})


def _free_port(host: str, first: int) -> int:
    """Find a free port; should another process take it meanwhile, the worker is started again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(first, min(first + PORTS_TRIED, 1 << 16)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(errno.EADDRINUSE, f"no port from {first} on is free; see cluster.port")


def worker_url(settings: Settings, place: Place, listens_at: str) -> str:
    """Give the URL by which clients reach a worker, without a slash at the end."""
    parts = urlsplit(listens_at)
    host = settings.server.host
    address = place.address if host in EVERYWHERE else host
    return settings.cluster.url.format(
        scheme=parts.scheme,
        address=f"[{address}]" if ":" in address else address,
        name=place.machine,
        port=parts.port,
    ).rstrip("/")
