"""The unpacked assets, read once and kept: base mesh, targets, proxies, bone weights, pictures."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.studio.assets import AssetError, is_complete
from training.studio.people.mesh import BaseMesh, Floats, Proxy, parse_obj, read_proxy
from training.studio.people.targets import SparseDelta, Trait, pair_traits, read_target
from training.studio.people.wardrobe import MADE_ON, MADE_ON_DEFAULT
from training.studio.performance_data import ARKIT

Pixels = NDArray[np.uint8]

BONES = ("torso", "neck", "head", "arm_left", "arm_right")
REGIONS = ("head", "nose", "mouth", "chin", "cheek", "ears", "eyes", "eyebrows", "forehead", "neck")
_ARM = ("upperarm", "lowerarm", "wrist", "metacarpal", "finger")
_TORSO = ("spine", "pelvis", "root", "upperleg", "lowerleg", "foot", "toe", "breast", "clavicle")
_CHEST = ("spine01", "spine02", "spine03", "breast")


class Library:
    """Everything read from one asset folder. What it hands out is shared: never write to it.

    Raises:
        AssetError: when the folder is not one that `assets.fetch` has completed.
    """

    def __init__(self, folder: Path) -> None:
        if not is_complete(folder):
            raise AssetError(
                f"expected the studio's assets in {folder}, got an incomplete or missing folder; "
                "run: make assets"
            )
        self._folder = folder
        self._targets: dict[str, SparseDelta] = {}
        self._proxies: dict[str, Proxy] = {}
        self._pictures: dict[str, Pixels] = {}

    @cached_property
    def base(self) -> BaseMesh:
        """The base mesh."""
        with (self._folder / "base" / "base.obj").open() as file:
            return parse_obj(file)

    @cached_property
    def traits(self) -> tuple[Trait, ...]:
        """All face traits with two ends."""
        found: list[Trait] = []
        for region in REGIONS:
            files = (self._folder / "targets" / region).glob("*.target.gz")
            found += pair_traits(region, (f.name.removesuffix(".target.gz") for f in files))
        return tuple(found)

    @cached_property
    def units(self) -> Floats:
        """The ARKit face units as displacements of every base vertex, [52, N, 3] meters."""
        units = np.zeros((len(ARKIT), len(self.base.vertices), 3), np.float32)
        for index, name in enumerate(ARKIT):
            read_target(self._folder / "targets" / "units" / f"{name}.target").add_to(
                units[index], 1.0
            )
        units.setflags(write=False)
        return units

    @cached_property
    def bone_weights(self) -> tuple[Floats, Floats]:
        """Skin weights [N, 5] in the order of BONES, and how much breathing moves [N]."""
        text = (self._folder / "base" / "weights.default.json").read_text()
        weights = np.zeros((len(self.base.vertices), len(BONES)), np.float32)
        chest = np.zeros(len(weights), np.float32)
        for bone, pairs in json.loads(text)["weights"].items():
            if not pairs:
                continue
            table = np.array(pairs)
            ids, amount = table[:, 0].astype(np.int64), table[:, 1].astype(np.float32)
            for index, share in _merged(bone).items():
                weights[ids, index] += np.float32(share) * amount
            if bone.startswith(_CHEST):
                chest[ids] += amount
        total = weights.sum(1, keepdims=True)
        weights[total[:, 0] < 1e-4, 0] = 1.0
        return weights / np.maximum(weights.sum(1, keepdims=True), 1e-4), np.clip(chest, 0, 1)

    def target(self, name: str) -> SparseDelta:
        """Give a target by region and name, such as "nose/nose-hump-incr"."""
        if name not in self._targets:
            self._targets[name] = read_target(self._folder / "targets" / f"{name}.target.gz")
        return self._targets[name]

    def proxy(self, name: str) -> Proxy:
        """Give a proxy by name, such as "short02"."""
        if name not in self._proxies:
            path = self._folder / "proxies" / f"{name}.json"
            made_on = MADE_ON.get(name, MADE_ON_DEFAULT)
            self._proxies[name] = read_proxy(path, len(self.base.vertices), made_on)
        return self._proxies[name]

    def picture(self, name: str, size: int | None = None) -> Pixels:
        """Give a picture as RGBA [H, W, 4], its bottom row first as OpenGL wants it."""
        key = f"{name}@{size}"
        if key not in self._pictures:
            with Image.open(self._folder / name) as image:
                picture = image.convert("RGBA")
            if size is not None:
                picture = picture.resize((size, size), Image.Resampling.LANCZOS)
            pixels = np.ascontiguousarray(np.asarray(picture)[::-1])
            pixels.setflags(write=False)
            self._pictures[key] = pixels
        return self._pictures[key]

    def skins(self, age: str, complexion: str, gender: str) -> list[str]:
        """Give the names of the skin pictures for one kind of person, sorted."""
        pattern = f"{age}_{complexion}_{gender}_diffuse*.png"
        return [f"skins/{p.name}" for p in sorted((self._folder / "skins").glob(pattern))]


def _merged(bone: str) -> dict[int, float]:
    """Tell which of our five bones a bone of the default rig belongs to, and how much."""
    if bone.startswith(_ARM):
        return {3 if bone.endswith(".L") else 4: 1.0}
    if bone.startswith("shoulder"):
        return {0: 0.7, 3 if bone.endswith(".L") else 4: 0.3}
    if bone.startswith(_TORSO):
        return {0: 1.0}
    neck: dict[str, dict[int, float]] = {
        "neck01": {0: 0.6, 1: 0.4},
        "neck02": {1: 1.0},
        "neck03": {1: 0.5, 2: 0.5},
    }
    return neck.get(bone, {2: 1.0})
