"""The DiT of one room: noise to a clean chunk in a few passes, and one more for the cache.

Shape letters: B batch, C latent channels, F latent frames of a chunk, h and w latent size, N tokens
of a chunk, n of a latent frame, S cached tokens, H heads, D head width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engines.architectures.wiring import Wiring
from engines.errors import ArtifactError, InputError
from engines.manifest import Manifest, NetworkEntry, Size, TensorEntry
from engines.ring import Ring
from engines.rotation import Tables, shift_table, sink_tables, stream_tables
from engines.runtimes.base import Array, Buffer, Call, Network, Runtime, tensors
from engines.sampling import TRAIN_STEPS, Step, plan

CONTEXT = "context"  # the buffer of what the cache pass reads
FIRST_NOISE, CONTEXT_NOISE = -2, -1  # beside those of the steps, which count from 0


class Denoiser:
    """Owns the room's latent, its ring of keys and values, and its place in the stream.

    Raises:
        ArtifactError: when the network's tensors do not fit the manifest's window.
    """

    def __init__(
        self, runtime: Runtime, wiring: Wiring, network: Network, manifest: Manifest, size: Size
    ) -> None:
        self._runtime = runtime
        self._wiring = wiring
        self._network = network
        self._rule = manifest.rotation
        self._sampling = manifest.sampling
        specs = tensors(network.entry.inputs)
        side = manifest.latent.spatial_stride * manifest.latent.patch
        self._h, self._w = size.height // side, size.width // side
        self._ring = Ring(
            sink=manifest.sink_frames,
            window=manifest.window_frames,
            chunk=manifest.chunk_frames,
            tokens=self._h * self._w,
            is_inplace=network.entry.kv == "inplace",
        )
        _check_ring(network.entry, self._ring)
        for each in network.entry.inputs:
            wiring.add(each)
        self._latent = wiring["latent"]
        self._velocity = wiring.add(tensors(network.entry.outputs)["velocity"])
        self._context_sigma = manifest.sampling.context_timestep / TRAIN_STEPS
        self._context = (
            wiring.add(specs["latent"], CONTEXT) if self._context_sigma else self._latent
        )
        self._calls: dict[tuple[float, bool], Call] = {}
        self._plans = {
            len(each): plan(each, self._sampling.sampler) for each in self._sampling.schedules
        }
        self._recorded: dict[int, Callable[[], None]] = {}
        self._held: dict[int, Array] = {}
        self._remember_all = runtime.record(self._remember)
        self.chunk_number = 0
        self._moved_back = 0  # latent frames

    def make_sink(self, reference: Array) -> None:
        """Fill the sink with the clean reference latent [B, C, 1, h, w], seen at timestep 0."""
        clean = np.broadcast_to(reference, self._latent.spec.shape)
        tables = sink_tables(self._rule, self._ring.chunk, self._h, self._w)
        self._place(tables, self._ring.sink_mask(), 0)
        self._latent.write(np.ascontiguousarray(clean, np.float32))
        self._call(0.0, is_context=False).run()
        self._keep(0, self._ring.tokens)

    def denoise(self, noise: np.random.Generator, steps: int | None) -> None:
        """Fill the latent with the next chunk.

        Raises:
            InputError: when the bundle has no schedule of that many steps.
        """
        chosen = self._plan(steps)
        number = self.chunk_number
        tables = stream_tables(self._rule, self._positions(), self._h, self._w)
        mask = self._ring.mask(number) if self._ring.is_filling(number) else None
        self._place(tables, mask, self._ring.first_token(number))
        self._latent.write(self._draw(noise, FIRST_NOISE))
        for index, step in enumerate(chosen):
            if step.weight:
                self._noise(index).write(self._draw(noise, index))
        if self._context_sigma:
            self._noise(CONTEXT_NOISE).write(self._draw(noise, CONTEXT_NOISE))
        if len(chosen) not in self._recorded:
            self._recorded[len(chosen)] = self._runtime.record(lambda: self._denoise(chosen))
        self._recorded[len(chosen)]()

    def remember(self) -> None:
        """Read the clean chunk once more and keep its keys and values for the chunks to come.

        Where the bundle remembers nothing, every chunk is made like the first.
        """
        if not self._sampling.remembers:
            return
        self._remember_all()
        self._keep(self._ring.first_token(self.chunk_number), self._ring.new_tokens)
        self.chunk_number += 1

    def _positions(self) -> range:
        """Give the next chunk's frame positions; move the window back when they would be too far.

        Attention within the window sees differences of positions only, so turning all its keys by
        the same angle changes nothing there; only the sink comes nearer again.
        """
        ring, most = self._ring, self._rule.most_positions
        first = ring.positions(self.chunk_number)[0] - self._moved_back
        if most is not None and first + ring.chunk > most:
            back = first - (ring.sink + ring.window)
            table = shift_table(self._rule, -back)
            for each in self._network.entry.inputs:
                if each.name.startswith("past_k."):
                    self._wiring[each.name].turn_tokens(ring.sink * ring.tokens, table)
            self._moved_back += back
            first -= back
        return range(first, first + ring.chunk)

    def _plan(self, steps: int | None) -> tuple[Step, ...]:
        if steps is None:
            steps = len(self._sampling.schedules[0])
        if steps not in self._plans:
            known = " or ".join(map(str, sorted(self._plans)))
            raise InputError(f"the bundle has no schedule of {steps} steps; it has {known}")
        return self._plans[steps]

    def _denoise(self, steps: tuple[Step, ...]) -> None:
        for index, step in enumerate(steps):
            self._call(step.timestep, is_context=False).run()
            self._latent.blend(1.0, self._velocity, step.along)
            if step.weight:
                self._latent.blend(step.keep, self._noise(index), step.weight)

    def _remember(self) -> None:
        if self._context_sigma:
            self._context.blend(0.0, self._latent, 1 - self._context_sigma)
            self._context.blend(1.0, self._noise(CONTEXT_NOISE), self._context_sigma)
        self._call(self._sampling.context_timestep, is_context=True).run()

    def _place(self, tables: Tables, mask: Array | None, first_token: int) -> None:
        """Tell the network where in the stream and in the cache the next passes stand."""
        wiring = self._wiring
        wiring["rotation_cos"].write(tables.cos)
        wiring["rotation_sin"].write(tables.sin)
        if mask is not None:
            wiring["mask"].write(mask)
        if self._ring.is_inplace:
            index = wiring["write_index"]
            index.write(np.full(index.spec.shape, first_token, np.int64))

    def _keep(self, first_token: int, count: int) -> None:
        """Write new keys and values into the ring; an inplace network has done it itself."""
        if self._ring.is_inplace:
            return
        for entry in self._network.entry.outputs:
            if entry.name.startswith("new_"):
                past = self._wiring[entry.name.replace("new_", "past_", 1)]
                past.copy_tokens(self._wiring[entry.name], first_token, count)

    def _call(self, timestep: float, *, is_context: bool) -> Call:
        """Bind the network once for every timestep, so that recorded work never waits for one."""
        key = (timestep, is_context)
        if key not in self._calls:
            entry = self._network.entry
            buffer = self._wiring.add(tensors(entry.inputs)["timestep"], f"timestep:{timestep:g}")
            buffer.write(np.full(buffer.spec.shape, timestep, buffer.spec.dtype))
            other: dict[str, Buffer] = {"timestep": buffer}
            if is_context:
                other["latent"] = self._context
            other |= {
                each.name: self._wiring.add(each, each.name.replace("present_", "past_", 1))
                for each in entry.outputs
                if each.name.startswith("present_")
            }
            self._calls[key] = self._wiring.bind(self._network, other)
        return self._calls[key]

    def _noise(self, index: int) -> Buffer:
        return self._wiring.add(self._latent.spec, f"noise:{index}")

    def _draw(self, noise: np.random.Generator, index: int) -> Array:
        """Draw noise; `index` tells a chunk's draws apart, which are held where nothing else is."""
        if self._sampling.remembers:
            return noise.standard_normal(self._latent.spec.shape, np.float32)
        if index not in self._held:
            self._held[index] = noise.standard_normal(self._latent.spec.shape, np.float32)
        return self._held[index]


def _check_ring(entry: NetworkEntry, ring: Ring) -> None:
    """Compare the network's cache and mask with the manifest's sink, window and chunk."""
    new, cached = ring.new_tokens, ring.cached_tokens
    wanted: dict[str, int] = {"mask": cached + new, "rotation_cos": new}
    for each in entry.inputs:
        if each.name.startswith(("past_k.", "past_v.")):
            wanted[each.name] = cached + new if ring.is_inplace else cached
    for each in entry.inputs:
        if each.name in wanted and _tokens(each) != wanted[each.name]:
            raise ArtifactError(
                f"{entry.key}: {each.name} has {_tokens(each)} tokens, sink, window and chunk of "
                f"the manifest make {wanted[each.name]}; export the bundle anew"
            )


def _tokens(spec: TensorEntry) -> int:
    match spec.name:
        case "mask":
            return spec.shape[-1]
        case "rotation_cos":
            return spec.shape[0]
        case _:
            return spec.shape[2]
