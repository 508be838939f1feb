from __future__ import annotations

import torch

from models.sampling.few_step import self_forcing_schedule
from models.sampling.solvers import RenoiseSolver, draw_renoise
from models.wan.dit import Prediction
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.rollout import make_chunk
from tests.models import tiny

SPEC = CacheSpec(sink_frames=1, capacity_frames=4)


def test_only_the_clean_pass_joins_the_past() -> None:
    net, prompt = tiny.wan(), torch.ones(2, 10)
    scene = net.encode_scene([prompt])
    noise = torch.randn(1, 16, 2, 4, 8, generator=tiny.generator(3))
    schedule = self_forcing_schedule((1000, 500), 5.0)
    solver = RenoiseSolver(schedule=schedule, noise=draw_renoise(schedule, noise, tiny.generator()))
    seen: list[tuple[torch.Tensor, float, int]] = []

    def run_pass(latent: torch.Tensor, timestep: torch.Tensor, past: KVCache) -> Prediction:
        seen.append((latent, float(timestep[0]), past.frames))
        return net.denoise(latent, timestep, scene, past)

    with torch.inference_mode():
        first = make_chunk(run_pass, noise, solver, KVCache(SPEC))
        second = make_chunk(run_pass, noise, solver, first.cache)
        clean = net.denoise(first.x0, torch.zeros(1), scene, KVCache(SPEC))
    assert [frames for _, _, frames in seen] == [0, 0, 0, 2, 2, 2]
    assert [round(t, 1) for _, t, _ in seen[:3]] == [1000.0, 833.3, 0.0]
    assert torch.equal(seen[2][0], first.x0)
    torch.testing.assert_close(first.cache.layers[1].k, clean.kv[1].k)
    assert second.cache.frames == 4
    assert not torch.allclose(first.x0, second.x0), "the past did not matter"
