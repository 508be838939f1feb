"""Which GPU and which TensorRT an engine is for, and how its file says so.

An engine fits one compute capability and one version of one runtime. All three stand in its name
and in the manifest, and an engine of another is refused rather than tried.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from export.errors import CompileError, RequestError

ENGINE_SUFFIX = ".engine"
NAME = re.compile(
    r"(?P<stem>.+)\.(?P<precision>[a-z0-9]+)\.(?P<gpu>sm\d+|any)\.(?P<api>tensorrt(?:_rtx)?)"
    r"-(?P<version>[\d.]+)\.engine"
)


class Api(StrEnum):
    """The two libraries, which share almost all of one API."""

    FULL = "tensorrt"  # TensorRT 11: measures kernels on the GPU it builds for
    RTX = "tensorrt_rtx"  # builds ahead of time, also without a GPU, and finishes on the GPU


ANY_GPU = "any"
GPU = re.compile(r"SM\d{2,3}")


def gpu_named(name: str) -> str | None:
    """Read a GPU of the command line: "SM89", or "any" for None.

    Raises:
        RequestError: when it is neither.
    """
    if name == ANY_GPU:
        return None
    if not GPU.fullmatch(name):
        raise RequestError(f"{name} is no GPU; write SM89, SM120, ... or {ANY_GPU}")
    return name


class EngineIdentity(NamedTuple):
    """All that decides whether an engine may run."""

    precision: str
    gpu: str | None  # "SM89"; None: any that the runtime knows (TensorRT-RTX alone)
    api: Api
    version: str

    def file_name(self, stem: str) -> str:
        """Give the name of an engine's file."""
        gpu = "any" if self.gpu is None else self.gpu.lower()
        return f"{stem}.{self.precision}.{gpu}.{self.api}-{self.version}{ENGINE_SUFFIX}"

    @property
    def compute_capability(self) -> str | None:
        """Give "8.9" for SM89 and "12.0" for SM120."""
        if self.gpu is None:
            return None
        digits = self.gpu.removeprefix("SM")
        return f"{digits[:-1]}.{digits[-1]}"


def parse_name(name: str) -> tuple[str, EngineIdentity]:
    """Undo `EngineIdentity.file_name`.

    Raises:
        RequestError: when the name is not one of ours.
    """
    found = NAME.fullmatch(name)
    if found is None:
        raise RequestError(f"{name} is no engine's name: it does not say what it was built for")
    gpu = None if found["gpu"] == "any" else found["gpu"].upper()
    identity = EngineIdentity(found["precision"], gpu, Api(found["api"]), found["version"])
    return found["stem"], identity


def require_fresh(name: str, here: EngineIdentity) -> None:
    """Refuse an engine built for another GPU, runtime or version than those at hand.

    Raises:
        CompileError: saying what differs.
        RequestError: when the name is not one of ours.
    """
    _, built = parse_name(name)
    pairs = {
        "runtime": (built.api.value, here.api.value),
        "version": (built.version, here.version),
        "precision": (built.precision, here.precision),
        "GPU": (built.gpu, built.gpu if built.gpu is None else here.gpu),
    }
    for what, (was, now) in pairs.items():
        if was != now:
            raise CompileError(
                f"{name} is stale: it was built for {what} {was}, here is {now}; "
                "run `parley export --target tensorrt` again on this machine"
            )
