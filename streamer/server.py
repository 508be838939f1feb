"""The server as a process: put together, listening, and down again in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import uvicorn
from fastapi import FastAPI

from streamer.garbage import quiet_garbage
from streamer.http.app import Surface, build_app
from streamer.http.buckets import BucketTable, Rate
from streamer.http.calls import Calls, Peers
from streamer.http.gate import SOCKET
from streamer.http.guard import Doorman
from streamer.http.meters import Meters
from streamer.http.peer_meters import PeerMeters
from streamer.http.problem import Code
from streamer.http.request_heads import with_head_limit
from streamer.http.room_meters import RoomMeters
from streamer.http.services import OneMachine, Placement, Services
from streamer.http.sessions import SessionLimits, SessionTable
from streamer.http.tokens import TokenKey
from streamer.peering import ice_plan
from streamer.rooms.recordings import Signer
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.settings import RoomSettings
from streamer.rooms.signing import C2paSigner
from streamer.sections import RateSettings
from streamer.settings import Settings
from streamer.stage import Stage

logger = logging.getLogger(__name__)
PING_SECONDS = 5.0  # a websocket whose client vanished is noticed after two of these
GRACE_SECONDS = 1  # for answers that are being written when everything else is down
KEEP_ALIVE_SECONDS = 15
Drain: TypeAlias = Callable[[float], Awaitable[None]]
Greeting: TypeAlias = Callable[[str], contextlib.AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A server that does not listen yet."""

    app: FastAPI
    services: Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where a server of a cluster differs from one that is alone."""

    surface: Surface = field(default_factory=Surface)
    placement: Placement = field(default_factory=OneMachine)


def build(
    settings: Settings,
    stage: Stage,
    peers: Peers,
    *,
    signer: Signer | None = None,
    parts: Parts | None = None,
    wall: Callable[[], float] = time.time,
) -> Built:
    """Put a server together; `parts` make it one of a cluster."""
    limits = settings.limits
    chosen = parts or Parts()
    registry = RoomRegistry(
        stage.opener, room_settings(settings), signer=signer, machinery=stage.machinery
    )
    sessions = SessionTable(
        SessionLimits(
            total=limits.sessions,
            per_owner=limits.sessions_per_token,
            per_address=limits.sessions_per_address,
        )
    )
    secret = settings.auth.secret() if settings.needs_token else None
    meters = Meters()
    meters.add(RoomMeters(registry, sessions))
    calls = Calls(peers, sessions, settings.video.codec)
    meters.add(PeerMeters(calls.peers, calls.totals))
    services = Services(
        settings=settings,
        registry=registry,
        calls=calls,
        shelf=stage.shelf,
        doorman=Doorman(TokenKey(secret) if secret else None, _rates(settings), wall),
        meters=meters,
        ice=ice_plan(settings),
        wall=wall,
        lane=ThreadPoolExecutor(1, thread_name_prefix="pictures"),
        placement=chosen.placement,
    )
    app = build_app(services, _rates(settings), chosen.surface)
    return Built(app=app, services=services)


def room_settings(settings: Settings) -> RoomSettings:
    """Give the rooms their part of the settings."""
    limits = settings.limits
    return RoomSettings(
        most_rooms=limits.rooms,
        most_viewers=limits.viewers,
        idle_s=limits.idle_seconds,
        longest_s=limits.room_seconds,
        warning_s=limits.warning_seconds,
        most_queued_s=limits.queued_seconds,
        bitrate=settings.video.kbps * 1000,
        recording_folder=settings.recording.folder,
    )


def signer_of(settings: Settings) -> Signer | None:
    """Give what signs recordings; None where none are signed.

    Raises:
        SettingsError: when it cannot sign.
    """
    wanted = settings.recording
    if wanted.c2pa_key is None or wanted.c2pa_certificate is None:
        return None
    return C2paSigner(
        wanted.c2pa_certificate,
        wanted.c2pa_key,
        wanted.c2pa_algorithm,
        authority=wanted.c2pa_authority,
    )


def _rates(settings: Settings) -> dict[str, BucketTable]:
    rates = settings.rates

    def table(rate: RateSettings) -> BucketTable:
        return BucketTable(Rate(per_second=rate.per_minute / 60, burst=rate.burst), time.monotonic)

    return {
        "POST": table(rates.post),
        "PATCH": table(rates.patch),
        "DELETE": table(rates.delete),
        SOCKET: table(rates.socket),
    }


class _Uvicorn(uvicorn.Server):
    """Leaves signals to us: rooms say goodbye before connections are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(built: Built) -> uvicorn.Server:
    """Make the HTTP server."""
    settings = built.services.settings
    server, limits = settings.server, settings.limits
    password = server.tls_key_password
    meters = built.services.meters
    return _Uvicorn(
        uvicorn.Config(
            built.app,
            host=server.host,
            port=server.port,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            http=with_head_limit(limits.head_seconds, lambda: meters.refused(Code.TOO_SLOW)),
            proxy_headers=bool(server.proxies),
            forwarded_allow_ips=list(server.proxies),
            limit_concurrency=limits.connections,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws_max_size=limits.message_bytes,
            ws_max_queue=16,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,  # speech does not shrink, and a bomb would grow
            ssl_certfile=server.tls_certificate,
            ssl_keyfile=server.tls_key,
            ssl_keyfile_password=password.get_secret_value() if password else None,
        )
    )


@contextlib.asynccontextmanager
async def serving(built: Built, drain: Drain | None = None) -> AsyncIterator[str]:
    """Listen while the block runs, and give the URL; drains rooms when it ends.

    Args:
        built: the server.
        drain: says goodbye in every room within so many seconds. None: in those of this process.

    Raises:
        OSError: when the address cannot be listened on.
    """
    say_goodbye = drain or built.services.registry.drain
    server = listening(built)
    garbage = quiet_garbage(lambda: bool(built.services.calls.peers()))
    async with garbage, _started(server) as url:
        yield url
        await say_goodbye(built.services.settings.server.drain_seconds)


@contextlib.asynccontextmanager
async def _started(server: uvicorn.Server) -> AsyncIterator[str]:
    task = asyncio.create_task(server.serve(), name="http")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise OSError(f"cannot listen on {server.config.host}:{server.config.port}")
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        host = f"[{server.config.host}]" if ":" in server.config.host else server.config.host
        yield f"{'https' if server.config.is_ssl else 'http'}://{host}:{port}"
    finally:
        server.should_exit = True
        await task


async def serve_until_told(built: Built, greet: Greeting, drain: Drain | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        built: the server.
        greet: entered with the URL once it listens, left before the rooms are drained.
        drain: see `serving`.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(built, drain) as url:
        async with greet(url):
            await told.wait()  # ended by a signal
        logger.info("stopping: rooms are told goodbye")
