"""Which clip has which number: all that follows from a run's seed and a clip's index.

A clip never depends on how many workers there are, on which one makes it, or on the clips before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import ConfigError
from training.studio.acting.dialogue import KIND_SHARES, Kind
from training.studio.people.identity import Identity, sample_identity
from training.studio.performance_data import FPS
from training.studio.speech.sentences import Split
from training.studio.stage.scene import MAX_PEOPLE, SIZES, Scene, sample_scene, turned_aside

PURPOSES = {"plan": 0, "dialogue": 1, "prompt": 2}  # streams of one clip's randomness
MOST_ASIDE_RAD = 1.2
TEST_IDENTITY = 1  # identities of the test split have odd seeds, those of training even ones


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a run renders.

    Raises:
        ConfigError: when a number is out of range.
    """

    seed: int
    split: Split  # voices, sentences and people of one split never occur in the other
    people: tuple[int, ...]  # numbers of people, drawn with equal chance
    size: tuple[int, int] | None  # width, height; None: the usual size for the number of people
    shortest: float  # seconds
    longest: float
    clips_per_shard: int
    samples: int  # 2 draws at twice the size, 1 is faster
    aside_rad: float = 0.0  # how far beside the camera somebody may be whom people talk to
    kind: Kind | None = None  # what happens in every clip; None: all sorts of things
    bearded: float | None = None  # share of people with beards; None: as many as there are

    def __post_init__(self) -> None:
        if not self.people or not all(1 <= count <= MAX_PEOPLE for count in self.people):
            raise ConfigError(f"people={self.people}: give numbers from 1 to {MAX_PEOPLE}")
        if not 1 <= self.shortest <= self.longest:
            raise ConfigError(f"clips of {self.shortest} to {self.longest} s; at least 1 s each")
        if self.size is not None and any(side < 64 or side % 32 for side in self.size):
            raise ConfigError(f"size={self.size}: width and height are multiples of 32 from 64 on")
        if self.samples not in (1, 2):
            raise ConfigError(f"samples={self.samples}: 1 (fast) or 2 (smooth edges)")
        if self.kind is not None and any(self.kind not in KIND_SHARES[n] for n in self.people):
            alone = ", ".join(KIND_SHARES[1])
            raise ConfigError(f"kind={self.kind}: a person alone has {alone}; ask for more people")
        if not 0 <= self.aside_rad <= MOST_ASIDE_RAD:
            raise ConfigError(
                f"aside_rad={self.aside_rad}: 0 to {MOST_ASIDE_RAD}; further, no mouth is seen"
            )
        if self.bearded is not None and not 0 <= self.bearded <= 1:
            raise ConfigError(f"bearded={self.bearded} is a share, 0 to 1")
        if self.clips_per_shard < 1 or self.seed < 0:
            raise ConfigError("clips_per_shard must be at least 1 and the seed not negative")

    @property
    def mean_seconds(self) -> float:
        return (self.shortest + self.longest) / 2

    def shards_for(self, hours: float) -> int:
        """Count the shards that hold at least so many hours of video."""
        return max(1, int(np.ceil(hours * 3600 / self.mean_seconds / self.clips_per_shard)))

    def generator(self, index: int, purpose: str) -> np.random.Generator:
        """Give one clip's generator for one purpose, so that no draw shifts another's."""
        return np.random.default_rng((self.seed, index, PURPOSES[purpose]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """One clip before anything is spoken or drawn."""

    index: int
    frames: int
    scene: Scene

    @property
    def seconds(self) -> float:
        return self.frames / FPS


def plan_clip(run: RunPlan, index: int) -> ClipPlan:
    """Plan a run's clip `index`; the same arguments always give the same clip."""
    rng = run.generator(index, "plan")
    count = int(rng.choice(run.people))
    frames = int(rng.integers(round(run.shortest * FPS), round(run.longest * FPS) + 1))
    people = _people(run, count, rng)
    seed = int(rng.integers(1 << 31))
    scene = sample_scene(seed, people=people, size=run.size or SIZES[count])
    if run.aside_rad > 0:
        scene = turned_aside(scene, seed, run.aside_rad)
    return ClipPlan(index=index, frames=frames, scene=scene)


def _people(run: RunPlan, count: int, rng: np.random.Generator) -> list[Identity]:
    """Draw people; where a share of them is to be bearded, until each is as their lot says."""
    if run.bearded is None:
        return [sample_identity(seed) for seed in _identity_seeds(run.split, count, rng)]
    found: list[Identity] = []
    while len(found) < count:
        is_bearded = bool(rng.random() < run.bearded)
        person = sample_identity(_identity_seeds(run.split, 1, rng)[0])
        while (person.beard != "none") != is_bearded:
            person = sample_identity(_identity_seeds(run.split, 1, rng)[0])
        found.append(person)
    return found


def _identity_seeds(split: Split, count: int, rng: np.random.Generator) -> Sequence[int]:
    is_test = int(split == "test")
    return [int(seed) * 2 + is_test * TEST_IDENTITY for seed in rng.integers(1 << 30, size=count)]
