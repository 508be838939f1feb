"""Who sits where, before what, in which light: everything fixed over a clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import ConfigError
from training.studio.people.identity import Identity, sample_identity
from training.studio.people.palette import RGB
from training.studio.people.pose import Seat
from training.studio.stage.camera import Camera, rotation

Framing = Literal["tight", "medium", "wide"]
BackdropKind = Literal["plain", "studio", "shelf", "window", "wall", "curtain", "lights", "panels"]
BACKDROPS: tuple[BackdropKind, ...] = (
    "plain",
    "studio",
    "shelf",
    "window",
    "wall",
    "curtain",
    "lights",
    "panels",
)
Vector = tuple[float, float, float]

MAX_PEOPLE = 4
SIZES: Mapping[int, tuple[int, int]] = {
    1: (256, 256),
    2: (448, 256),
    3: (640, 256),
    4: (832, 256),
}
# Height of the picture at the people's distance, meters, by number of people.
_FRAME_M: Mapping[Framing, tuple[float, ...]] = {
    "tight": (0.30, 0.44, 0.45, 0.46),
    "medium": (0.37, 0.50, 0.50, 0.50),
    "wide": (0.50, 0.60, 0.58, 0.56),
}
_SPACING_M = (0.0, 0.40, 0.40, 0.40)
_MOST_INWARD = 1.0  # places from the middle: who sits further out is not turned further
_FOV_Y_RAD = 0.36


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Three lights and the ambience. Directions point from the scene to the light."""

    key_direction: Vector
    key_color: RGB
    fill_direction: Vector
    fill_color: RGB
    rim_direction: Vector
    rim_color: RGB
    sky: RGB
    ground: RGB


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """A procedural background; `seed` decides its colors and layout."""

    kind: BackdropKind
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A clip's people from left to right, their seats, the camera, light and background."""

    people: tuple[Identity, ...]
    seats: tuple[Seat, ...]
    camera: Camera
    framing: Framing
    light: Light
    backdrop: Backdrop
    listener_m: Vector = (0.0, 0.0, 0.0)  # who is talked to outside the picture, world

    def __post_init__(self) -> None:
        if not 1 <= len(self.people) <= MAX_PEOPLE or len(self.people) != len(self.seats):
            raise ConfigError(
                f"expected 1 to {MAX_PEOPLE} people with a seat each, "
                f"got {len(self.people)} people and {len(self.seats)} seats"
            )


def sample_scene(
    seed: int,
    *,
    people: int | Sequence[Identity],
    size: tuple[int, int] | None = None,
    framing: Framing | None = None,
) -> Scene:
    """Make a scene. The same arguments always give the same scene.

    Args:
        seed: decides everything that is not given.
        people: how many to sample, or who.
        size: (width, height), multiples of 32; by default the usual size for the number of people.
        framing: how near the camera is.

    Raises:
        ConfigError: when there are no people or too many, or the size is no multiple of 32.
    """
    rng = np.random.default_rng((seed, 0x5C))
    if isinstance(people, int):
        seeds = rng.integers(1 << 31, size=people)
        people = [sample_identity(int(s)) for s in seeds]
    count = len(people)
    if not 1 <= count <= MAX_PEOPLE:
        raise ConfigError(f"expected 1 to {MAX_PEOPLE} people, got {count} people")
    chosen: Framing = framing or ("tight", "medium", "medium", "wide")[int(rng.integers(4))]
    width, height = size or SIZES[count]
    camera = Camera(
        width=width, height=height, fov_y_rad=_FOV_Y_RAD, pitch_rad=float(rng.uniform(-0.14, 0.08))
    )
    return Scene(
        people=tuple(people),
        seats=_seats(rng, camera, count, chosen),
        camera=camera,
        framing=chosen,
        light=sample_light(rng),
        backdrop=Backdrop(
            kind=BACKDROPS[int(rng.integers(len(BACKDROPS)))], seed=int(rng.integers(1 << 31))
        ),
    )


def turned_aside(scene: Scene, seed: int, most_rad: float) -> Scene:
    """Let a scene's people talk to somebody beside the camera rather than into it.

    The listener is a third of `most_rad` to all of it to one side, as seen by the people, and their
    bodies are turned half of that way; heads follow the eyes for more of it.
    """
    rng = np.random.default_rng((seed, 0xA5))
    aside = float(rng.choice([-1, 1]) * rng.uniform(1 / 3, 1) * most_rad)
    eyes = np.mean([seat.eyes_m for seat in scene.seats], axis=0)
    away = float(np.linalg.norm(eyes))
    listener = eyes + away * np.array([np.sin(aside), 0.0, np.cos(aside)])
    return dataclasses.replace(
        scene,
        seats=tuple(
            dataclasses.replace(seat, yaw_rad=seat.yaw_rad + aside / 2) for seat in scene.seats
        ),
        listener_m=(float(listener[0]), float(listener[1]), float(listener[2])),
    )


def _seats(
    rng: np.random.Generator, camera: Camera, count: int, framing: Framing
) -> tuple[Seat, ...]:
    """Place people on an arc before the camera, turned a little to each other."""
    frame_m = _FRAME_M[framing][count - 1] * float(rng.uniform(0.96, 1.06))
    spacing = _SPACING_M[count - 1]
    # A narrower picture than the usual one must not cut off the outer shoulders' faces.
    needed = (count - 1) * spacing + 0.30
    frame_m = max(frame_m, needed * camera.height / camera.width)
    distance = frame_m / 2 / np.tan(camera.fov_y_rad / 2)
    turn = float(rng.uniform(-0.26, 0.26)) / count
    to_world = rotation(0.0, -camera.pitch_rad, 0.0)  # view_projection undoes this turn
    seats: list[Seat] = []
    for index in range(count):
        place = index - (count - 1) / 2
        x = place * spacing * float(rng.uniform(0.97, 1.03)) + float(rng.normal(0, 0.006))
        height = frame_m * 0.075 + float(rng.normal(0, 0.012))
        ahead = to_world @ np.array([x, height, -distance + float(rng.normal(0, 0.02))])
        aside = float(np.clip(place, -_MOST_INWARD, _MOST_INWARD))
        inward = -aside * float(rng.uniform(0.35, 0.6)) if count > 1 else 0.0
        seats.append(
            Seat(
                eyes_m=(float(ahead[0]), float(ahead[1]), float(ahead[2])),
                yaw_rad=inward + turn + float(rng.normal(0, 0.03)),
            )
        )
    return tuple(seats)


def sample_light(rng: np.random.Generator) -> Light:
    """Sample a key light from the front, a fill from the other side, a rim from behind."""
    azimuth = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.95))
    elevation = float(rng.uniform(0.3, 0.8))
    warmth = float(rng.uniform(-0.10, 0.13))
    strength = float(rng.uniform(0.80, 1.10))
    fill = float(rng.uniform(0.22, 0.48))
    rim = float(rng.uniform(0.2, 0.9))
    sky, ground = float(rng.uniform(0.24, 0.36)), float(rng.uniform(0.13, 0.22))
    side = np.sign(azimuth)
    return Light(
        key_direction=_unit(np.sin(azimuth), np.sin(elevation), np.cos(azimuth)),
        key_color=_warm(strength, warmth),
        fill_direction=_unit(-np.sin(azimuth) * 0.9 - 0.2 * side, 0.15, 0.8),
        fill_color=_warm(fill, -0.6 * warmth),
        rim_direction=_unit(-np.sin(azimuth) * 1.2, 0.5, -0.6),
        rim_color=(rim, rim, rim),
        sky=(sky * 0.92, sky * 0.97, sky * 1.04),
        ground=(ground, ground * 0.92, ground * 0.84),
    )


def _unit(x: float, y: float, z: float) -> Vector:
    length = float(np.sqrt(x * x + y * y + z * z))
    return (float(x) / length, float(y) / length, float(z) / length)


def _warm(strength: float, warmth: float) -> RGB:
    return (strength * (1 + warmth), strength, strength * (1 - warmth))
