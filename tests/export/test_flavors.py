from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor

from export.attention_forms import Sliced
from export.conditions import write_script
from export.dit import dit_network
from export.errors import RequestError
from export.families.wan import WanFamily
from export.onnx_file import write_onnx
from export.parity import compare_rolls, relative_l2
from export.ring import Ring
from export.rollout import Stream, open_stream, roll
from export.runners import OrtRunner
from models.wan.attention import TextImageKV
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.rope import Grid
from tests.export import small
from tests.models import tiny


def by_kv_cache(stream: Stream) -> list[Tensor]:
    """Roll the same stream through the model's own cache, which grows, evicts and masks nothing."""
    family, shape, plan, script = stream
    chunk_frames = shape.chunk_frames
    window = 1 + shape.window_frames + chunk_frames
    cache = KVCache(CacheSpec(sink_frames=1, capacity_frames=window))

    def one_pass(
        latent: Tensor, timestep: float, past: KVCache, named: dict[str, Tensor]
    ) -> tuple[Tensor, KVCache]:
        conditions = [
            TextImageKV(named[f"text_k.{i}"], named[f"text_v.{i}"], None, None) for i in range(2)
        ]
        made = family.dit.denoise(latent, torch.tensor([timestep]), conditions, past)
        return made.velocity, past.append(made.kv, latent.shape[2])

    with torch.inference_mode():
        _, cache = one_pass(script.sink_latent[:, :, :1], 0.0, cache, script.sink)
        chunks = []
        for given, x in zip(script.chunks, script.noise, strict=True):
            past = cache.make_room(chunk_frames)
            for timestep, after in ((1000.0, 500.0), (500.0, 0.0)):
                x = x + one_pass(x, timestep, past, given)[0] * ((after - timestep) / 1000)
            cache = one_pass(x, plan.context_timestep, past, given)[1]
            chunks.append(x)
    return chunks


@pytest.mark.parametrize("chunk_frames", [1, 2])
def test_a_masked_ring_is_the_models_own_cache(chunk_frames: int) -> None:
    family = WanFamily(dit=tiny.wan())
    stream = open_stream(family, small.shape(chunk_frames=chunk_frames), small.PLAN)
    network = dit_network(family, stream.shape, small.SLICE)
    rolled = roll(stream, small.SLICE, network.run)
    expected = by_kv_cache(stream)
    worst = max(relative_l2(a.x0, b) for a, b in zip(rolled, expected, strict=True))
    assert worst < 1e-5


@pytest.mark.parametrize(
    ("name", "chunk_frames"),
    [("multitalk", 1), ("anytalker", 2)],
)
def test_both_flavors_roll_as_torch_does(name: str, chunk_frames: int, tmp_path: Path) -> None:
    family, shape = small.FAMILIES[name](), small.shape(chunk_frames=chunk_frames)
    torch_network = dit_network(family, shape, small.SLICE)
    stream = open_stream(family, shape, small.PLAN)
    expected = list(roll(stream, small.SLICE, torch_network.run))
    for form in (small.SLICE, small.INPLACE):
        network = dit_network(family, shape, form)
        runner = OrtRunner(network, write_onnx(network, tmp_path), threads=1)
        found = roll(stream, form, runner)
        report = compare_rolls(network.key, "fp32", found, expected)
        assert report.is_met, f"{form.flavor}: {report}"
        assert report.worst < 1e-4


def test_the_inplace_flavor_has_one_operator_for_each_deed(tmp_path: Path) -> None:
    family = small.FAMILIES["multitalk"]()
    network = dit_network(family, small.shape(), small.INPLACE)
    graph = onnx.load(write_onnx(network, tmp_path), load_external_data=False).graph
    nodes = Counter(node.op_type for node in graph.node)
    layers = 2
    assert nodes["RotaryEmbedding"] == 2 * layers
    assert nodes["TensorScatter"] == 2 * layers
    assert nodes["Attention"] == 5 * layers  # self, reference map, text, picture, audio
    assert nodes["RMSNormalization"] == 3 * layers
    assert nodes["Softmax"] == 0
    rotary = next(node for node in graph.node if node.op_type == "RotaryEmbedding")
    assert {a.name: a.i for a in rotary.attribute}["interleaved"] == 1


def test_the_first_chunk_is_its_own_reference() -> None:
    """A sink slot that is not filled holds zeros, at which no token may look."""
    family, shape = small.FAMILIES["multitalk"](), small.shape()
    network = dit_network(family, shape, small.SLICE)
    script = write_script(family, shape, 1, seed=5)
    rotation = family.rotation([0], Grid(1, 2, 4), is_sink=True)
    ring = Ring(family.dit.cfg, shape, small.SLICE)
    moment = {"latent": script.sink_latent, "timestep": torch.zeros(1)}
    turned = {"rotation_cos": rotation.cos, "rotation_sin": rotation.sin}
    found = network.run({**script.sink, **ring.inputs(), **moment, **turned})
    with torch.inference_mode():
        expected = family.dit.denoise(
            family.latent(script.sink | moment),
            torch.zeros(1),
            family.conditions(script.sink, shape),
        )
    torch.testing.assert_close(found["velocity"], expected.velocity)


def test_a_graph_without_a_mask_is_refused() -> None:
    with pytest.raises(RequestError, match="mask"):
        Sliced().join(None, None, None)  # type: ignore[arg-type]
