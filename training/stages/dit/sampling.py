"""Rolling a stream out of the transformer, chunk by chunk, as an engine does it.

A chunk starts as noise, is denoised in a few passes that all see the same past, and is read once
more, clean or nearly so, for the past of the chunks to come. The formulas are those that a bundle's
engine runs from its manifest; a test holds the two against each other.

Source: flow matching (arXiv 2210.02747); re-noising between few steps and the cache pass,
Self-Forcing (arXiv 2506.08009).

Shape letters: B batch, P people, T = 4 F video frames, C latent channels, F latent frames, h and w
latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from models.errors import ConfigError, InputError
from models.sampling.guidance import cfg
from models.sampling.schedules import shift_sigma
from models.studio.dit import FULL_NOISE, StudioAudio, StudioDiT, StudioScene
from models.studio.motion import Motion
from models.studio.vae_config import FRAMES_PER_LATENT
from models.wan.dit import Prediction
from models.wan.kv_cache import KVCache

Noise = Callable[[torch.Size], Tensor]
"""A shape -> standard normal numbers on the CPU; called for each noise, in the stream's order."""


class Step(NamedTuple):
    """What to do with a pass's velocity v: x <- x + along v, then x <- keep x + weight noise."""

    timestep: float
    along: float
    keep: float
    weight: float  # 0 when no fresh noise is mixed in


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How chunks are denoised; a manifest's part `sampling` says the same of a bundle.

    Raises:
        ConfigError: when timesteps do not fall within (0, 1000].
    """

    sampler: Literal["euler", "renoise"]
    timesteps: tuple[float, ...]
    context_timestep: float  # a finished chunk is read with that much noise for the cache
    audio_scale: float = 1.0  # CFG scale of the voices; 1 needs no second pass

    def __post_init__(self) -> None:
        falls = all(a > b for a, b in pairwise(self.timesteps))
        if not self.timesteps or not falls or not 0 < self.timesteps[-1] <= self.timesteps[0]:
            raise ConfigError(f"timesteps {self.timesteps} do not fall to above 0")
        if self.timesteps[0] > FULL_NOISE or not 0 <= self.context_timestep < FULL_NOISE:
            raise ConfigError(
                f"timesteps {self.timesteps} and context_timestep={self.context_timestep} must not "
                f"exceed {FULL_NOISE:g}"
            )

    @property
    def steps(self) -> tuple[Step, ...]:
        """Plan the passes of a chunk; the last one ends at the clean chunk."""
        levels = [timestep / FULL_NOISE for timestep in (*self.timesteps, 0.0)]
        planned = []
        for timestep, (level, after) in zip(self.timesteps, pairwise(levels), strict=True):
            if self.sampler == "euler" or after == 0:
                planned.append(Step(timestep, after - level, 1.0, 0.0))
            else:
                planned.append(Step(timestep, -level, 1 - after, after))
        return tuple(planned)


class Told(NamedTuple):
    """What a stream is told, video frame by video frame."""

    features: Tensor  # [B, P, T, audio_features]
    motion: Motion


def even_timesteps(steps: int, shift: float = 1.0) -> tuple[float, ...]:
    """Give timesteps that are evenly spread from pure noise, then shifted toward it."""
    levels = shift_sigma(torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1], shift)
    return tuple(round(float(level) * FULL_NOISE, 4) for level in levels)


def euler(steps: int) -> SamplingConfig:
    """Give the sampler that stages are measured with: even Euler steps, clean contexts."""
    return SamplingConfig(sampler="euler", timesteps=even_timesteps(steps), context_timestep=0.0)


def seeded(seed: int) -> Noise:
    """Give a source of noise of its own."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator)


@torch.no_grad()
def generate(
    dit: StudioDiT, scene: StudioScene, told: Told, sampling: SamplingConfig, noise: Noise
) -> Tensor:
    """Make a whole clip [B, C, F, h, w] as a stream that begins with the scene's picture.

    Raises:
        InputError: when the voices are no whole number of chunks.
    """
    return torch.cat(list(rolling(dit, scene, told, sampling, noise)), dim=2)


def rolling(
    dit: StudioDiT, scene: StudioScene, told: Told, sampling: SamplingConfig, noise: Noise
) -> Iterator[Tensor]:
    """Make chunk after chunk [B, C, F, h, w] for as long as the voices last.

    Raises:
        InputError: when the voices are no whole number of chunks.
    """
    size = dit.studio.chunk_frames
    per_chunk = size * FRAMES_PER_LATENT
    if told.features.shape[2] % per_chunk:
        raise InputError(
            f"{told.features.shape[2]} video frames are no whole number of chunks of {per_chunk}"
        )
    past = dit.start_stream(scene)
    b, c, _, h, w = scene.reference.shape
    shape = torch.Size((b, c, size, h, w))
    for first in range(0, told.features.shape[2], per_chunk):
        span = slice(first, first + per_chunk)
        heard = _hear(dit, told, span, is_guided=sampling.audio_scale != 1)
        past = past.make_room(size)
        chunk = _Chunk(dit, scene, heard, past, sampling)
        x = chunk.denoise(shape, noise)
        past = past.append(chunk.remember(x, noise).kv, size)
        yield x


class _Heard(NamedTuple):
    """The voices of a chunk, and nobody's, when guidance needs it."""

    voices: StudioAudio
    nobody: StudioAudio | None


def _hear(dit: StudioDiT, told: Told, span: slice, *, is_guided: bool) -> _Heard:
    features = told.features[:, :, span]
    motion = Motion(*(part[:, :, span] for part in told.motion))
    voices = dit.encode_audio(features, motion)
    if not is_guided:
        return _Heard(voices, None)
    silent = Motion(*(torch.zeros_like(part) for part in motion))
    return _Heard(voices, dit.encode_audio(torch.zeros_like(features), silent))


class _Chunk:
    """One chunk being made behind a past that stays the same meanwhile."""

    def __init__(
        self,
        dit: StudioDiT,
        scene: StudioScene,
        heard: _Heard,
        past: KVCache,
        sampling: SamplingConfig,
    ) -> None:
        self.dit, self.scene, self.heard, self.past = dit, scene, heard, past
        self.sampling = sampling

    def denoise(self, shape: torch.Size, noise: Noise) -> Tensor:
        """Give the clean chunk."""
        x = noise(shape).to(self.scene.reference)
        # An engine draws all noises before the first pass; so are they drawn here.
        fresh = [noise(shape).to(x) if step.weight else None for step in self.sampling.steps]
        for step, mixed_in in zip(self.sampling.steps, fresh, strict=True):
            x = x + step.along * self._velocity(x, step.timestep)
            if mixed_in is not None:
                x = step.keep * x + step.weight * mixed_in
        return x

    def remember(self, x: Tensor, noise: Noise) -> Prediction:
        """Read the finished chunk for the cache."""
        level = self.sampling.context_timestep / FULL_NOISE
        if level:
            x = (1 - level) * x + level * noise(x.shape).to(x)
        return self._pass(x, self.sampling.context_timestep, self.heard.voices)

    def _velocity(self, x: Tensor, timestep: float) -> Tensor:
        velocity = self._pass(x, timestep, self.heard.voices).velocity
        if self.heard.nobody is None:
            return velocity
        unheard = self._pass(x, timestep, self.heard.nobody).velocity
        return cfg(velocity, unheard, self.sampling.audio_scale)

    def _pass(self, x: Tensor, timestep: float, audio: StudioAudio) -> Prediction:
        made: Prediction = self.dit(
            x, torch.full((len(x),), timestep, device=x.device), self.scene, audio, self.past
        )
        return made
