"""Making a stream chunk by chunk with a few-step model: the inner loop of every causal system here.

Shape letters: B batch, C latent channels, F latent frames of a chunk, h and w latent size.
Source: Self-Forcing (arXiv 2506.08009), repository guandeh17/Self-Forcing,
pipeline/causal_inference.py (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from models.sampling.denoise import sample
from models.sampling.solvers import Solver
from models.wan.dit import Prediction
from models.wan.kv_cache import KVCache

StateT = TypeVar("StateT")

ChunkPass = Callable[[Tensor, Tensor, KVCache], Prediction]
"""(latent [B, C, F, h, w], timestep [B], past) -> one pass of a DiT with its conditions bound."""


class Chunk(NamedTuple):
    """A finished chunk and the past that the next one sees."""

    x0: Tensor  # [B, C, F, h, w]
    cache: KVCache


def make_chunk(
    run_pass: ChunkPass,
    noise: Tensor,
    solver: Solver[StateT],
    cache: KVCache,
    context_timestep: float = 0.0,
) -> Chunk:
    """Denoise one chunk, then run it once more, clean, so that its keys and values join the past.

    Every denoising step reads the same past; only the clean pass adds to it.

    Args:
        run_pass: the DiT with this chunk's conditions.
        noise: [B, C, F, h, w] at the solver's first sigma.
        solver: a few-step solver, for example `RenoiseSolver` with this chunk's noise.
        cache: the stream so far.
        context_timestep: timestep of the clean pass; Self-Forcing uses 0.

    Raises:
        InputError: when the chunk does not fit the cache.
    """
    frames = noise.shape[2]
    past = cache.make_room(frames)

    def predict(latent: Tensor, timestep: Tensor, state: None) -> tuple[Tensor, None]:
        return run_pass(latent, timestep.to(latent).expand(len(latent)), past).velocity, state

    x0 = sample(predict, noise, solver, None).latent
    clean_timestep = torch.full((len(x0),), context_timestep, device=x0.device)
    clean = run_pass(x0, clean_timestep, past)
    return Chunk(x0, past.append(clean.kv, frames))
