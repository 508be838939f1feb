"""Ray, as far as rooms need it: start a worker where slots are free, call it, notice its death.

The only module that knows Ray's interface. A worker takes as many `parley_slot` of its machine as
it may have rooms, and gives them back by dying: the actor is the lease.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from typing import Any

from streamer.cluster.messages import Orders, Place
from streamer.cluster.worker import Worker
from streamer.errors import StreamerError
from streamer.http.identifiers import is_loopback
from streamer.settings import Settings

logger = logging.getLogger(__name__)
SLOT = "parley_slot"
NAMESPACE = "parley"
CALLS_AT_ONCE = 32  # threads of an actor: one waits for news, the others open rooms and list them
TICKET_BYTES = 32
KNOCK_SECONDS = 5.0


class ClusterError(StreamerError):
    """The cluster cannot be used; the text says what to do."""


class WorkerLostError(StreamerError):
    """A worker died, or its machine did."""


class RayWorker:
    """One worker, seen from the front."""

    def __init__(self, ray: Any, actor: Any, name: str) -> None:
        self.name = name
        self._ray = ray
        self._actor = actor

    async def call(self, method: str, *args: object) -> Any:
        """Call a method of `Worker`; what that raises is raised here.

        Raises:
            WorkerLostError: when it is not there any more.
        """
        try:
            return await getattr(self._actor, method).remote(*args)
        except self._ray.exceptions.RayActorError as error:
            lines = str(error).strip().splitlines() or ["no reason is known"]
            raise WorkerLostError(f"{self.name} was lost: {lines[-1].strip()}") from error

    def kill(self) -> None:
        """End its process, and give its slots back. A second time does nothing."""
        self._ray.kill(self._actor)


def worker_settings(settings: Settings) -> dict[str, object]:
    """Give the settings of a front as its workers need them: whole, so that no environment counts.

    A worker cannot read the front's key file, and must want tokens exactly when the front does.
    Pictures are the front's to take: it hands them on with the rooms that show them.
    """
    said: dict[str, object] = settings.model_dump()
    key = settings.auth.secret()
    said["auth"] = {
        "mode": "on" if settings.needs_token else "off",
        "key": None if key is None else key.decode(),
        "key_file": None,
    }
    said["scenes"] = {**settings.scenes.model_dump(), "allow_upload": False}
    return said


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS):
        pass


class RayCluster:
    """A connection to a Ray cluster that runs already.

    Raises:
        ModuleNotFoundError: when Ray is not installed.
        ClusterError: when there is no cluster, or it does not fit the settings.
    """

    def __init__(self, settings: Settings) -> None:
        import ray  # heavy and optional: paid only by whoever is part of a cluster

        self._ray = ray
        self._settings = settings
        self.ticket_secret = secrets.token_bytes(TICKET_BYTES)
        self.slots_of_a_worker = settings.limits.rooms
        address = settings.cluster.address
        try:
            if address is not None:
                _knock(address)  # Ray itself would try for minutes
            ray.init(
                address=address or "auto",
                namespace=NAMESPACE,
                log_to_driver=False,  # a worker's lines are in Ray's log folder
                configure_logging=False,
            )
        except (OSError, RuntimeError, ValueError) as error:
            where = f"at {address}" if address else "runs here"
            raise ClusterError(
                f"no Ray cluster {where}: start one with `ray start --head "
                f"--resources '{{\"{SLOT}\": {self.slots_of_a_worker}}}'`, or name it by "
                "cluster.address"
            ) from error
        self._check_machines()

    def _check_machines(self) -> None:
        """Refuse other machines for workers that only this one could reach."""
        machines = {node["NodeManagerAddress"] for node in self._ray.nodes() if node["Alive"]}
        if is_loopback(self._settings.server.host) and len(machines) > 1:
            self.close()
            raise ClusterError(
                f"the cluster has {len(machines)} machines, and workers on "
                f"{self._settings.server.host} are reached from their own alone; "
                "say server.host = 0.0.0.0"
            )

    async def has_room(self) -> bool:
        """Say whether enough slots are free for another worker, as far as Ray tells."""
        free = await asyncio.to_thread(self._ray.available_resources)
        return bool(free.get(SLOT, 0) >= self.slots_of_a_worker)

    async def start(self) -> tuple[RayWorker, Place]:
        """Start a worker's process; ended by Ray, which waits until a machine has the slots.

        Raises:
            WorkerLostError: when it died at once.
        """
        name = f"worker-{secrets.token_hex(4)}"
        orders = Orders(
            name=name, settings=worker_settings(self._settings), ticket_secret=self.ticket_secret
        )
        made = self._ray.remote(Worker).options(
            name=name,
            num_cpus=0,  # slots alone decide
            num_gpus=self._settings.cluster.gpus,
            resources={SLOT: self.slots_of_a_worker},
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=0,  # the rooms would be gone all the same; the front starts another
        )
        worker = RayWorker(self._ray, made.remote(orders), name)
        try:
            return worker, await worker.call("place")
        except BaseException:
            worker.kill()
            raise

    def close(self) -> None:
        """Leave the cluster; workers that are still there end with it."""
        self._ray.shutdown()
