"""What a runtime gives: networks with named tensors of static shape, and the memory they use.

A caller allocates buffers, binds them to a network once, and runs the binding as often as it likes.
Nothing is copied on the way: the buffer that one network writes may be the one that the next reads,
and a state moves by two bindings that swap its buffers. All calls block the thread they are made
from; they belong in a lane of their own, never on an event loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import ArtifactError, InputError
from engines.manifest import Flavor, Format, NetworkEntry, TensorEntry
from engines.rotation import Tables

Array = NDArray[Any]
Tensors = Mapping[str, TensorEntry]


class Buffer(Protocol):
    """Memory of one tensor, where its runtime computes. Owned by whoever allocated it."""

    @property
    def spec(self) -> TensorEntry: ...

    def write(self, value: Array) -> None:
        """Copy a value of exactly this shape and dtype in."""
        ...

    def read(self) -> Array:
        """Give the value on the host; it may be a view that the next run overwrites."""
        ...

    def copy_tokens(self, source: Buffer, first: int, count: int) -> None:
        """Copy the first `count` tokens of source [B, H, N, D] to tokens `first`... of this."""
        ...

    def turn_tokens(self, first: int, table: Tables) -> None:
        """Rotate the tokens from `first` on, [B, H, S, D], by table [1, D / 2]."""
        ...

    def blend(self, keep: float, source: Buffer, weight: float) -> None:
        """Set this to keep * this + weight * source, float32."""
        ...


class Call(Protocol):
    """A network bound to buffers."""

    def run(self) -> None:
        """Compute the outputs from the inputs as they are now.

        Raises:
            DeviceError: when the runtime fails.
        """
        ...


class Network(Protocol):
    """A loaded network. Its weights are read-only, so any number of rooms may bind it."""

    @property
    def entry(self) -> NetworkEntry: ...

    def bind(self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer]) -> Call:
        """Bind every input and output of the network to a buffer.

        Raises:
            InputError: when a tensor is missing, unknown, or has another shape or dtype.
        """
        ...

    def close(self) -> None: ...


class Runtime(Protocol):
    """One way to run networks on one device. Its owner calls close()."""

    @property
    def name(self) -> str: ...

    @property
    def formats(self) -> tuple[Format, ...]:
        """Formats it can load, the best first."""
        ...

    @property
    def flavors(self) -> tuple[Flavor, ...]:
        """Flavors of the dit's cache that it can run, the best first."""
        ...

    def describe(self) -> str:
        """Say version, device and threads in one line."""
        ...

    def allocate(self, spec: TensorEntry) -> Buffer:
        """Give a buffer filled with zeros."""
        ...

    def load(self, path: Path, entry: NetworkEntry) -> Network:
        """Load a network whose file has been checked.

        Raises:
            ArtifactError: when the file is not what the manifest says.
            DeviceError: when this machine cannot run it.
        """
        ...

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Give a faster way to repeat `work`, which only runs calls and blends buffers."""
        ...

    def beside(self, first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
        """Do two pieces of work that need nothing of each other, at once where the device can.

        Gives the milliseconds of each; both are done then.
        """
        ...

    def synchronize(self) -> None:
        """Wait until everything that was started is done, so that a clock tells the truth."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuOptions:
    """How a CPU runtime may use the machine."""

    threads: int

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= 256:
            raise InputError(f"threads={self.threads}; give a number from 1 to 256")


def one_after_another(
    runtime: Runtime, first: Callable[[], None], second: Callable[[], None]
) -> tuple[float, float]:
    """Do what `Runtime.beside` promises on a device that gains nothing from doing it at once."""
    times = [time.perf_counter()]
    for work in (first, second):
        work()
        runtime.synchronize()
        times.append(time.perf_counter())
    return (times[1] - times[0]) * 1e3, (times[2] - times[1]) * 1e3


def tensors(entries: tuple[TensorEntry, ...]) -> Tensors:
    """Index tensors by name."""
    return {entry.name: entry for entry in entries}


def check_value(spec: TensorEntry, value: Array) -> None:
    """Refuse a value that a tensor cannot take.

    Raises:
        InputError: when shape or dtype differ.
    """
    if value.shape != spec.shape or value.dtype != np.dtype(spec.dtype):
        raise InputError(
            f"{spec.name} takes {spec.dtype}{list(spec.shape)}, got {value.dtype}"
            f"{list(value.shape)}"
        )


def check_binding(entry: NetworkEntry, side: Tensors, buffers: Mapping[str, Buffer]) -> None:
    """Refuse buffers that are not one for each tensor of one side of a network.

    Raises:
        InputError: when a tensor is missing, unknown, or has another shape or dtype.
    """
    if wrong := sorted(side.keys() ^ buffers.keys()):
        raise InputError(f"{entry.key}: bind every tensor and no other; wrong: {', '.join(wrong)}")
    for name, spec in side.items():
        bound = buffers[name].spec
        if (bound.shape, bound.dtype) != (spec.shape, spec.dtype):
            raise InputError(
                f"{entry.key}: {name} is {spec.dtype}{list(spec.shape)}, "
                f"the buffer is {bound.dtype}{list(bound.shape)}"
            )


def check_signature(
    entry: NetworkEntry, side: Tensors, found: Mapping[str, tuple[int, ...]]
) -> None:
    """Compare what a file holds with what the manifest says of it.

    Raises:
        ArtifactError: when names or shapes differ.
    """
    said = {name: spec.shape for name, spec in side.items()}
    if said == dict(found):
        return
    wrong = sorted(name for name in said.keys() | found.keys() if said.get(name) != found.get(name))
    name = wrong[0]
    raise ArtifactError(
        f"{entry.files[0].path} does not fit the manifest: {name} is {found.get(name)}, "
        f"the manifest says {said.get(name)}; export the bundle anew"
    )
