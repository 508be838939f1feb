"""The front of a cluster: the server that users start, whose rooms live on workers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from streamer.cluster.addresses import check_host
from streamer.cluster.fleet import Fleet
from streamer.cluster.fleet_meters import FleetMeters
from streamer.cluster.front_routes import Guide, router
from streamer.cluster.ray_cluster import RayCluster
from streamer.cluster.tickets import TicketKey
from streamer.errors import SettingsError
from streamer.http.app import Surface
from streamer.http.client_pages import Folder, installed_pages
from streamer.peering import make_peers
from streamer.server import Built, Parts, build, serve_until_told
from streamer.settings import Settings
from streamer.stage import Stage

OWN_HOST_ALONE = "connect-src 'self'"
ANY_HOST = "connect-src *"  # workers come and go while a page is open


def pages_of_a_front() -> dict[str, Folder]:
    """Give the pages, which may also ask workers."""
    return {name: _widened(folder) for name, folder in installed_pages().items()}


def _widened(folder: Folder) -> Folder:
    return {
        path: replace(file, policy=file.policy.replace(OWN_HOST_ALONE, ANY_HOST))
        for path, file in folder.items()
    }


def build_front(settings: Settings, stage: Stage, fleet: Fleet, tickets: TicketKey) -> Built:
    """Put a front together: a server without rooms of its own.

    Args:
        settings: of the front and of its workers.
        stage: knows the scenes; no room is opened on it.
        fleet: has the rooms.
        tickets: vouches for callers to the workers.
    """
    surface = Surface(routers=(router,), pages=pages_of_a_front())
    built = build(settings, stage, make_peers(settings), parts=Parts(surface=surface))
    built.app.state.guide = Guide(fleet, tickets, built.services)
    built.services.meters.add(FleetMeters(fleet))
    return built


def check_settings(settings: Settings) -> None:
    """Refuse settings that a cluster cannot keep.

    Raises:
        SettingsError: when it cannot be a cluster.
    """
    check_host(settings)
    try:
        (settings.auth.secret() or b"").decode()
    except UnicodeDecodeError as error:
        raise SettingsError(
            "auth.key_file is not text, and workers are told the key as text; "
            "make one with `openssl rand -base64 48`"
        ) from error


async def serve_cluster(
    settings: Settings, stage: Stage, cluster: RayCluster, told: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: of the front and of its workers.
        stage: knows the scenes.
        cluster: where workers are started; closed by the caller.
        told: is given the URL.
    """
    fleet = Fleet(cluster, stage.shelf.parcel, reopens=settings.cluster.reopen)
    built = build_front(settings, stage, fleet, TicketKey(cluster.ticket_secret))

    @contextlib.asynccontextmanager
    async def greet(url: str) -> AsyncIterator[None]:
        keeping = asyncio.create_task(fleet.run(), name="fleet")
        told(url)
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    await serve_until_told(built, greet, fleet.drain)
