"""The buffers of one room, found by tensor name, and networks whose states go round.

A tensor that one network puts out and another takes in has the same name in both, and so the same
buffer: nothing is copied between them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engines.errors import ArtifactError
from engines.manifest import StateEntry, TensorEntry
from engines.runtimes.base import Array, Buffer, Call, Network, Runtime, tensors


class Wiring:
    """Buffers by name. Owned by one room."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._buffers: dict[str, Buffer] = {}

    def __getitem__(self, name: str) -> Buffer:
        return self._buffers[name]

    def __contains__(self, name: str) -> bool:
        return name in self._buffers

    def clear(self) -> None:
        """Let go of every buffer."""
        self._buffers.clear()

    def add(self, spec: TensorEntry, name: str | None = None) -> Buffer:
        """Give the buffer of a tensor, allocating it when it is asked for first.

        Raises:
            ArtifactError: when two networks give one name to tensors that differ.
        """
        name = name or spec.name
        buffer = self._buffers.get(name)
        if buffer is None:
            buffer = self._buffers[name] = self._runtime.allocate(spec)
        known = buffer.spec
        if (known.shape, known.dtype) != (spec.shape, spec.dtype):
            raise ArtifactError(
                f"two networks of the bundle disagree on {name}: {known.dtype}{list(known.shape)} "
                f"and {spec.dtype}{list(spec.shape)}; export the bundle anew"
            )
        return buffer

    def bind(self, network: Network, other: Mapping[str, Buffer] | None = None) -> Call:
        """Bind a network to the buffers of its tensors' names, or to `other` where it says so."""
        other = other or {}
        entry = network.entry
        inputs = {each.name: other.get(each.name) or self.add(each) for each in entry.inputs}
        outputs = {each.name: other.get(each.name) or self.add(each) for each in entry.outputs}
        return network.bind(inputs, outputs)


class StateLoop:
    """A network whose states go round: what a call puts out, the next one takes in.

    Two bindings take turns, each reading the buffers that the other wrote.
    """

    def __init__(self, wiring: Wiring, network: Network) -> None:
        entry = network.entry
        specs = tensors(entry.inputs)
        self._states: Mapping[str, StateEntry] = {each.input: each for each in entry.states}
        self._pairs = {
            name: tuple(wiring.add(specs[name], f"{entry.role}:{name}:{side}") for side in "ab")
            for name in self._states
        }
        self._calls = tuple(wiring.bind(network, self._sides(turn)) for turn in (0, 1))
        self._turn = 0
        self.restart()

    def _sides(self, turn: int) -> dict[str, Buffer]:
        sides = {}
        for name, pair in self._pairs.items():
            sides[name] = pair[turn]
            sides[self._states[name].output] = pair[1 - turn]
        return sides

    def first(
        self, wiring: Wiring, network: Network, other: Mapping[str, Buffer] | None = None
    ) -> Call:
        """Bind the network of a stream's first call: it takes no states, and makes the next ones'.

        `other` is where tensors that are no states go, if not to the buffers of their names.
        """
        states = {self._states[name].output: pair[self._turn] for name, pair in self._pairs.items()}
        return wiring.bind(network, states | dict(other or {}))

    def run(self) -> None:
        self._calls[self._turn].run()
        self._turn = 1 - self._turn

    def restart(self) -> None:
        """Set every state to its first value."""
        for name, pair in self._pairs.items():
            buffer = pair[self._turn]
            value = np.full(buffer.spec.shape, self._states[name].first_value, buffer.spec.dtype)
            buffer.write(value)

    def save(self) -> dict[str, Array]:
        """Copy the states that the next call will read."""
        return {name: pair[self._turn].read().copy() for name, pair in self._pairs.items()}

    def restore_person(self, saved: Mapping[str, Array], person: int) -> None:
        """Set one person's part of every state back to what was saved."""
        for name, pair in self._pairs.items():
            axis = self._states[name].person_axis
            if axis is None:
                continue
            value = pair[self._turn].read().copy()
            index = (slice(None),) * axis + (person,)
            value[index] = saved[name][index]
            pair[self._turn].write(value)
