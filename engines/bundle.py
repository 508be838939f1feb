"""A bundle on disk, opened: which networks serve a size, and its ready scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engines.errors import ArtifactError, InputError
from engines.manifest import (
    Flavor,
    Format,
    Manifest,
    NetworkEntry,
    Role,
    SceneEntry,
    Size,
    check_file,
    read_manifest,
)


class Taste(NamedTuple):
    """What a runtime can load, the best first, and what the user prefers."""

    formats: tuple[Format, ...]
    flavors: tuple[Flavor, ...]
    precision: str | None = None  # of several networks take this; None for the bundle's first


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A folder and its manifest."""

    folder: Path
    manifest: Manifest

    def pick(self, role: Role, size: Size, taste: Taste) -> NetworkEntry:
        """Pick the network for a role: by the taste's order, then the bundle's.

        Args:
            role: what it does.
            size: of the video.
            taste: of runtime and user.

        Raises:
            ArtifactError: when the bundle has none that fits.
        """
        rolled = self.manifest.rolled(size).key
        found = [
            entry
            for format_ in taste.formats
            for flavor in taste.flavors
            for entry in self.manifest.networks
            if entry.role == role
            and entry.format == format_
            and entry.kv in (None, flavor)
            and entry.size in (None, rolled)
        ]
        exact = [entry for entry in found if entry.precision == taste.precision]
        if exact or found:
            return (exact or found)[0]
        has = sorted({e.format for e in self.manifest.networks if e.role == role})
        raise ArtifactError(
            f"the bundle {self.manifest.name} has no {role} for {size.key} as "
            f"{' or '.join(taste.formats)} (it has {', '.join(has) or 'none'}); "
            "choose another runtime or size, or export it"
        )

    def has(self, role: Role) -> bool:
        """Say whether any network plays this role."""
        return any(entry.role == role for entry in self.manifest.networks)

    def size(self, key: str) -> Size:
        """Find a size by its key, WIDTHxHEIGHTxPEOPLE.

        Raises:
            InputError: when the bundle does not have it.
        """
        for size in self.manifest.sizes:
            if size.key == key:
                return size
        keys = ", ".join(size.key for size in self.manifest.sizes)
        raise InputError(f"the bundle {self.manifest.name} has no size {key}; it has {keys}")

    def sizes_for(self, people: int) -> tuple[Size, ...]:
        """Give the sizes for a number of people.

        Raises:
            InputError: when there is none.
        """
        sizes = tuple(size for size in self.manifest.sizes if size.people == people)
        if not sizes:
            counts = sorted({size.people for size in self.manifest.sizes})
            raise InputError(
                f"the bundle {self.manifest.name} takes {' or '.join(map(str, counts))} people, "
                f"not {people}"
            )
        return sizes

    def scene_entry(self, name: str) -> SceneEntry:
        """Find a ready scene by name and check its files.

        Raises:
            InputError: when there is none of that name.
            ArtifactError: when a file of it is missing or damaged.
        """
        for scene in self.manifest.scenes:
            if scene.name == name:
                for file in scene.files:
                    check_file(self.folder, file)
                return scene
        names = ", ".join(scene.name for scene in self.manifest.scenes) or "none"
        raise InputError(f"the bundle {self.manifest.name} has no scene {name!r}; it has: {names}")


def open_bundle(folder: Path) -> Bundle:
    """Open the bundle in a folder; its networks are checked when they are loaded.

    Raises:
        ArtifactError: when it is no bundle, damaged, or of another schema version.
    """
    return Bundle(folder=folder, manifest=read_manifest(folder))
