"""A bundle's avatars as generators of rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.scene.scene import Scene
from engines.stream import AvatarStream, Chunk
from streamer.rooms.opening import Opened, RoomSpec


class AvatarGenerator:
    """A stream that also knows the size of its pictures; see `streamer.media.types.Generator`."""

    def __init__(self, stream: AvatarStream, scene: Scene) -> None:
        self._stream = stream
        self.people = stream.people
        self.width, self.height = scene.size.width, scene.size.height
        self.chunk_samples = stream.chunk_samples
        self.look_ahead_samples = stream.look_ahead_samples
        self.frames_per_chunk = stream.frames_per_chunk

    def join(self, seat: int) -> None:
        self._stream.join(seat)

    def leave(self, seat: int) -> None:
        self._stream.leave(seat)

    def push(self, seat: int, samples: NDArray[Any]) -> None:
        self._stream.push(seat, samples)

    def queued_samples(self, seat: int) -> int:
        return self._stream.queued_samples(seat)

    def clear(self, seat: int) -> int:
        return self._stream.clear(seat)

    def set_prompt(self, prompt: str) -> None:
        self._stream.set_prompt(prompt)

    def make_chunk(self, steps: int | None = None) -> Chunk:
        return self._stream.make_chunk(steps)

    def close(self) -> None:
        self._stream.close()


class AvatarOpener:
    """Opens rooms on one engine. Called on the generation thread only, as the engine wants it.

    Args:
        engine: the weights; closed by whoever made it, after the last room.
        scenes: reads the scene that a name stands for; it may raise EngineError.
    """

    def __init__(self, engine: AvatarEngine, scenes: Callable[[str], Scene]) -> None:
        self._engine = engine
        self._scenes = scenes

    def __call__(self, spec: RoomSpec) -> Opened:
        scene = self._scenes(spec.scene)
        stream = AvatarStream(self._engine, scene, prompt=spec.prompt, seed=spec.seed)
        schedules = self._engine.bundle.manifest.sampling.schedules
        return Opened(
            generator=AvatarGenerator(stream, scene),
            step_counts=tuple(len(steps) for steps in schedules),
            people_names=scene.people_names,
        )
