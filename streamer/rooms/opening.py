"""What a room is made from, and who makes its generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from streamer.media.types import Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSpec:
    """What somebody asked for."""

    scene: str  # the opener knows what it names
    prompt: str | None = None  # instead of the scene's own
    seed: int = 0
    people_names: tuple[str, ...] = ()  # by seat, left to right; empty for the opener's
    is_recorded: bool = False
    has_badge: bool = True  # "AI", burnt into every frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A generator with what it does not say itself."""

    generator: Generator
    step_counts: tuple[int, ...] = ()  # denoising steps that make_chunk takes; none: no choice
    people_names: tuple[str, ...] = ()


# Blocks for as long as encoding a scene takes; called on the generation thread only.
Opener: TypeAlias = Callable[[RoomSpec], Opened]
