"""One set of weights on one runtime, for any number of rooms."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self, get_args

from engines.architectures.cell_room import CellRoom, strip_of
from engines.architectures.room import Room
from engines.architectures.studio import StudioRoom
from engines.architectures.wan import WanRoom
from engines.bundle import Bundle, Taste
from engines.errors import ArtifactError
from engines.manifest import NetworkEntry, Role, Size, check_file
from engines.prompts import PromptTokenizer
from engines.runtimes.base import Network, Runtime
from engines.scene.scene import Scene

logger = logging.getLogger(__name__)

ROOMS: Mapping[str, type[StudioRoom] | type[WanRoom]] = {
    "studio": StudioRoom,
    "anytalker": WanRoom,
    "multitalk": WanRoom,
}


class AvatarEngine:
    """Loads a bundle's networks when a size first needs them, and opens rooms on them.

    Rooms share nothing but these read-only weights. Owns the runtime: closing the engine closes it,
    after which its rooms are dead. All calls belong on one thread.

    Args:
        bundle: what to run.
        runtime: where; the engine closes it.
        precision: which of several networks to prefer, as the bundle names it.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime, precision: str | None = None) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self._taste = Taste(runtime.formats, runtime.flavors, precision)
        self._networks: dict[NetworkEntry, Network] = {}
        self._tokenizer = PromptTokenizer(bundle.manifest.tokenizer, bundle.folder)

    def networks(self, size: Size) -> dict[Role, Network]:
        """Load and give the networks that serve a size, by role.

        Raises:
            ArtifactError: when one is missing, damaged, or made for another machine.
        """
        roles: tuple[Role, ...] = get_args(Role)
        return {role: self._network(role, size) for role in roles if self.bundle.has(role)}

    def _network(self, role: Role, size: Size) -> Network:
        entry = self.bundle.pick(role, size, self._taste)
        if entry not in self._networks:
            for file in entry.files:
                check_file(self.bundle.folder, file)
            path = self.bundle.folder / entry.files[0].path
            self._networks[entry] = self.runtime.load(path, entry)
            logger.info("loaded %s (%s) on %s", entry.key, entry.precision, self.runtime.name)
        return self._networks[entry]

    def open_room(self, scene: Scene) -> Room:
        """Open a room: encodes the scene and its prompt. Its stream closes it.

        Raises:
            ArtifactError: when the bundle's architecture is not one that this engine knows.
        """
        manifest = self.bundle.manifest
        room = ROOMS.get(manifest.architecture)
        if room is None:
            raise ArtifactError(
                f"the bundle {manifest.name} is of the architecture {manifest.architecture}; this "
                f"Parley runs {', '.join(ROOMS)}"
            )
        networks = self.networks(scene.size)
        if manifest.cells is None:
            return room(self.runtime, networks, manifest, self._tokenizer, scene)
        strip = strip_of(scene, manifest.cells)
        inner = room(self.runtime, networks, manifest, self._tokenizer, strip.scene)
        return CellRoom(inner, scene.picture, strip.squares, scene.boxes, manifest.cells)

    def precisions(self, size: Size) -> dict[Role, str]:
        """Say which precision each role runs at."""
        return {role: each.entry.precision for role, each in self.networks(size).items()}

    def close(self) -> None:
        for network in self._networks.values():
            network.close()
        self._networks.clear()
        self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
