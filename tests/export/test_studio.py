from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from export.dit import dit_network
from export.families.studio import StudioFamily
from export.parity import relative_l2
from export.rollout import RollPlan, open_stream, roll
from export.shapes import ChunkShape
from models.studio.config import Binding, studio
from models.studio.dit import StudioDiT
from models.wan.attention import Concatenated
from models.wan.dit import StreamView
from models.wan.kv_cache import KVCache
from tests.export import small

PLAN = RollPlan(chunks=10, timesteps=(1000.0, 500.0), context_timestep=0.0, seed=3)
SHAPE = ChunkShape(
    batch=1,
    people=2,
    width_px=128,
    height_px=64,
    latent_stride=16,
    patch=(2, 2),
    chunk_frames=1,
    window_frames=4,
    sink_frames=1,
)


@pytest.mark.parametrize("binding", list(Binding))
def test_the_exported_studio_rolls_as_its_own_cache_does(binding: Binding) -> None:
    """Far beyond the window, the sink without a time: twice what fits the cache."""
    cfg = studio(binding)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        dit = StudioDiT(replace(cfg, wan=replace(cfg.wan, layers=2))).eval()
    family = StudioFamily(dit=dit)
    stream = open_stream(family, SHAPE, PLAN)
    cache = KVCache(dit.cache_spec())

    def one_pass(
        latent: Tensor, timestep: float, past: KVCache, named: dict[str, Tensor]
    ) -> tuple[Tensor, KVCache]:
        joined = family.latent(named | {"latent": latent})
        conditions = family.conditions(named, SHAPE)
        grid = dit._grid(joined, torch.zeros(1))
        rotation = dit.rotation(past.positions(1), grid, latent.device)
        layers = [past.layer(index) for index in range(2)]
        view = StreamView(rotation, layers, None, Concatenated(), torch.float32)
        made = dit.predict(joined, torch.tensor([timestep]), conditions, view)
        return made.velocity, past.append(made.kv, 1)

    expected = []
    with torch.inference_mode():
        _, cache = one_pass(stream.script.sink_latent, 0.0, cache, stream.script.sink)
        for given, x in zip(stream.script.chunks, stream.script.noise, strict=True):
            past = cache.make_room(1)
            for timestep, after in ((1000.0, 500.0), (500.0, 0.0)):
                x = x + one_pass(x, timestep, past, given)[0] * ((after - timestep) / 1000)
            cache = one_pass(x, 0.0, past, given)[1]
            expected.append(x)
    found = roll(stream, small.SLICE, dit_network(family, SHAPE, small.SLICE).run)
    assert max(relative_l2(a.x0, b) for a, b in zip(found, expected, strict=True)) < 1e-5
