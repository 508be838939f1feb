"""A worker: a whole server inside a Ray actor, which holds the slots of its rooms while it lives.

Ray calls an actor's methods on threads of its own. The server has another thread, with an event
loop that nothing of Ray ever waits in. The class has no coroutine on purpose: Ray would make it an
actor of another kind, whose constructor is not on the main thread, and signals could not be heard.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from streamer.cluster.addresses import listening_settings, worker_url
from streamer.cluster.messages import Answer, Census, Orders, Place
from streamer.cluster.tickets import TicketKey
from streamer.cluster.worker_server import WorkerServer
from streamer.http.logs import start_logging
from streamer.http.rest_models import RoomWish
from streamer.http.scene_shelf import Parcel
from streamer.rooms.opening import RoomSpec
from streamer.settings import Settings
from streamer.stage import open_stage

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Worker:
    """Made by Ray, on the main thread of a process of its own; every call comes on any thread.

    Args:
        orders: how to serve.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._server: WorkerServer | None = None
        signal.signal(signal.SIGTERM, lambda *_: self._leave())

    def place(self) -> Place:
        """Say where this is; the first call, answered as soon as Ray has found a machine."""
        import ray  # heavy and optional: paid only by whoever is part of a cluster

        address = str(ray.util.get_node_ip_address())
        return Place(machine=socket.gethostname(), address=address, pid=os.getpid())

    def begin(self) -> str:
        """Load everything, listen, and give the URL for clients.

        Raises:
            ValueError, StreamerError, EngineError, OSError: when it cannot serve here.
        """
        settings = listening_settings(Settings(**self._orders.settings))
        start_logging(settings.logs.level, settings.logs.format)
        started: Future[str] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(settings, started), name="server", daemon=True
        )
        self._thread.start()
        url = worker_url(settings, self.place(), started.result())
        logger.info("%s serves at %s, process %d", self._orders.name, url, os.getpid())
        return url

    def census(self, known: dict[str, RoomSpec]) -> Census:
        """Say which rooms there are, as soon as they are others than the front knows."""
        if self._is_serving:
            try:
                return self._call(self._there.census(known))
            except CancelledError:  # it ended meanwhile
                logger.debug("nobody is left to be counted")
        return Census(rooms={}, opened=0, is_draining=True)

    def open(self, wish: bytes, parcel: Parcel | None) -> Answer:
        """Open a room; see `WorkerServer.open`."""
        return self._call(self._there.open(RoomWish.model_validate_json(wish), parcel))

    def reopen(self, room_id: str, spec: RoomSpec, parcel: Parcel | None) -> int:
        """Open a room of a lost worker; see `WorkerServer.reopen`."""
        return self._call(self._there.reopen(room_id, spec, parcel))

    def forget(self, scene_id: str) -> list[str]:
        """Forget an uploaded picture; names it if there was one."""
        return self._call(self._there.forget(scene_id))

    def views(self) -> list[str]:
        """Show every room, each as JSON."""
        return self._call(self._there.views())

    def recordings(self) -> list[str]:
        """Show every film on this machine, each as JSON."""
        return self._call(self._there.recordings())

    def leave(self) -> None:
        """Say goodbye in every room and stop; ends when that is done."""
        self._leave()
        if self._thread is not None:
            self._thread.join()

    @property
    def _is_serving(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def _there(self) -> WorkerServer:
        if self._server is None:
            raise RuntimeError("call begin first")
        return self._server

    def _leave(self) -> None:
        if self._server is None:
            os._exit(0)  # before it began: nobody is there to say goodbye to
        if self._is_serving:
            self._loop.call_soon_threadsafe(self._server.leave)

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something on the server's loop, from a thread of Ray's."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self, settings: Settings, started: Future[str]) -> None:
        """Serve until told: the server's thread."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                stage = open_stage(settings)
                self._server = WorkerServer(settings, stage, TicketKey(self._orders.ticket_secret))
                runner.run(self._server.run(started.set_result))
            stage.close()
        except BaseException as error:  # SystemExit too, which uvicorn raises
            if not started.done():
                said = error if isinstance(error, Exception) else OSError(f"uvicorn: {error}")
                started.set_exception(said)
                return
            logger.exception("%s failed", self._orders.name)
            os._exit(1)  # Ray sees a lost worker, and the front acts on that
