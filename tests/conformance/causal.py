"""Cases of the causal transformer: few-step rollouts with a key/value cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.sampling.few_step import nearest_sigma, sigma_table
from models.sampling.schedules import TRAIN_STEPS, Schedule
from models.sampling.solvers import RenoiseSolver
from models.wan.attention import TextImageKV
from models.wan.dit import Prediction, WanDiT
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.rollout import ChunkPass, make_chunk
from tests.conformance.case import Case, Check, Json
from tests.conformance.wan import wan_config

TRAIN_SHIFT = 5.0  # Self-Forcing's scheduler; the levels of a case are looked up in its table


def matches(description: Json) -> bool:
    return bool(description.get("config", {}).get("model") == "self_forcing_causal_dit")


def dit_from(config: Json, weights: Mapping[str, Tensor]) -> WanDiT:
    """Build the network of a case."""
    dit = WanDiT(wan_config(config, image_dim=None))
    dit.load_state_dict(dict(weights))
    return dit.eval()


def cache_spec(c: Json) -> CacheSpec:
    """Translate sink and local attention size; -1 keeps everything the cache has room for."""
    local = c["local_attn_size"]
    if local == -1:
        return CacheSpec(sink_frames=c["sink_size"], capacity_frames=None)
    return CacheSpec(sink_frames=c["sink_size"], capacity_frames=local)


def schedule(c: Json) -> Schedule:
    """Give the case's timesteps with the sigmas that Self-Forcing looks up for them."""
    timesteps = torch.tensor(c["denoising_timesteps"])
    sigmas = nearest_sigma(sigma_table(TRAIN_STEPS, TRAIN_SHIFT), timesteps)
    return Schedule(timesteps=timesteps, sigmas=torch.cat([sigmas, torch.zeros(1)]))


@torch.inference_mode()
def rollout(dit: WanDiT, config: Json, inputs: Mapping[str, Tensor]) -> Tensor:
    """Make a whole stream; noise and result have the frame axis before the channels."""
    noise = inputs["noise"].transpose(1, 2)  # [B, C, F, h, w]
    renoise = inputs["renoise"].transpose(2, 3)  # [blocks, steps - 1, C, f, h, w]
    scene = dit.encode_scene([inputs["context"]])
    cache = dit.empty_cache(cache_spec(config))
    levels = schedule(config)
    chunks = []
    blocks = torch.split(noise, config["num_frame_per_block"], dim=2)
    for noise_chunk, fresh in zip(blocks, renoise, strict=True):
        solver = RenoiseSolver(schedule=levels, noise=fresh[:, None])
        made = make_chunk(
            _bound(dit, scene), noise_chunk, solver, cache, float(config["context_timestep"])
        )
        cache = made.cache
        chunks.append(made.x0)
    return torch.cat(chunks, dim=2).transpose(1, 2)


def _bound(dit: WanDiT, scene: tuple[TextImageKV, ...]) -> ChunkPass:
    def run_pass(latent: Tensor, timestep: Tensor, past: KVCache) -> Prediction:
        return dit.denoise(latent, timestep, scene, past)

    return run_pass


def run(case: Case) -> Iterator[Check]:
    dit = dit_from(case.config, case.weights())
    yield from case.check_outputs({"latents": rollout(dit, case.config, case.inputs)})
