from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from export.dit import dit_network
from export.errors import ExportError, ParityError
from export.families.wan import WanFamily
from export.fp8 import quantize_fp8, watched
from export.onnx_file import write_onnx
from export.parity import ParityReport, compare_rolls, relative_l2, require
from export.quantization import quantize_matmuls
from export.rollout import open_stream, roll
from export.runners import OrtRunner
from export.tensorrt.graph import prepare
from models.wan.dit import WanDiT
from tests.export import small
from tests.models import tiny


@pytest.fixture(scope="module")
def wide() -> WanFamily:
    """Give a transformer wide enough that 8 bits are a fair measure of it."""
    cfg = replace(
        tiny.wan_config(image_dim=None, in_channels=16), dim=128, ffn_dim=256, freq_dim=64
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return WanFamily(dit=WanDiT(cfg).eval())


def test_8_bits_roll_as_torch_does_and_errors_do_not_grow(wide: WanFamily, tmp_path: Path) -> None:
    stream = open_stream(wide, small.shape(), small.PLAN)
    network = dit_network(wide, stream.shape, small.SLICE)
    with watched(network.module) as largest:
        expected = list(roll(stream, small.SLICE, network.run))
    plain = write_onnx(network, tmp_path)
    int8, fp8 = tmp_path / "int8.onnx", tmp_path / "fp8.onnx"
    assert quantize_matmuls(plain, int8) == 2 * 8  # q, k, v, o, q, o and two of the feed forward
    assert quantize_fp8(plain, fp8, largest) == 2 * 8
    for precision, path in (("int8", int8), ("fp8", fp8)):
        found = roll(stream, small.SLICE, OrtRunner(network, path, threads=1))
        report = compare_rolls("dit", precision, found, expected)
        assert report.worst > 1e-4, "nothing was rounded at all"
        assert report.is_met, str(report)
    graph = onnx.load(fp8, load_external_data=False).graph
    kinds = {each.name: each.data_type for each in graph.initializer}
    weights = [kind for name, kind in kinds.items() if name.endswith("_w8")]
    assert weights == [onnx.TensorProto.FLOAT8E4M3FN] * 16


def test_a_layer_that_only_saw_zeros_is_no_calibration(wide: WanFamily, tmp_path: Path) -> None:
    network = dit_network(wide, small.shape(), small.SLICE)
    plain = write_onnx(network, tmp_path)
    with pytest.raises(ExportError, match="zeros"):
        quantize_fp8(plain, tmp_path / "fp8.onnx", {"dit.blocks.0.self_attn.q": 0.0})
    with pytest.raises(ExportError, match="watched"):
        quantize_fp8(plain, tmp_path / "fp8.onnx", {})


def test_a_graph_rewritten_for_tensorrt_gives_the_same_numbers(tmp_path: Path) -> None:
    family = small.FAMILIES["multitalk"]()
    stream = open_stream(family, small.shape(), replace(small.PLAN, chunks=4))
    stream = stream._replace(script=stream.script._replace(
        chunks=stream.script.chunks[:4], noise=stream.script.noise[:4]))  # fmt: skip
    network = dit_network(family, stream.shape, small.INPLACE)
    path = write_onnx(network, tmp_path)
    before = list(roll(stream, small.INPLACE, OrtRunner(network, path, threads=1)))
    model = onnx.load(path)
    queries = [node.input[0] for node in model.graph.node if node.op_type == "Attention"]
    prepare(model)
    onnx.save(model, tmp_path / "prepared.onnx")
    attentions = [node for node in model.graph.node if node.op_type == "Attention"]
    assert len(queries) > len(set(queries)), "no query was shared: the test proves nothing"
    assert max(Counter(node.input[0] for node in attentions).values()) == 1
    runner = OrtRunner(network, tmp_path / "prepared.onnx", threads=1)
    for a, b in zip(roll(stream, small.INPLACE, runner), before, strict=True):
        assert relative_l2(a.velocities, b.velocities) < 1e-5


@pytest.mark.parametrize(
    ("errors", "is_met"),
    [
        ((0.01,) * 10, True),
        ((0.01,) * 9 + (0.04,), False),  # one chunk beyond the bound
        ((0.001,) * 5 + (0.002,) * 5, False),  # within it, but growing
        ((0.01,) * 9 + (float("nan"),), False),
        ((float("nan"),) + (0.01,) * 9, False),
    ],
)
def test_parity_holds_for_every_chunk_and_may_not_grow(
    errors: tuple[float, ...], is_met: bool
) -> None:
    report = ParityReport(key="dit", precision="int8", relative_l2=errors, bound=0.03)
    assert report.is_met is is_met
    if not is_met:
        with pytest.raises(ParityError, match="stays without it"):
            require(report)
