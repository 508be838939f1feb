from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

from export.bundle import entry_of
from export.dit import dit_network
from export.drafts import Graph
from export.families.wan import WanFamily
from export.finishing import Finished
from export.half_storage import store_half
from export.network import ExportNetwork
from export.onnx_file import data_file, output_specs, write_onnx
from export.parity import ParityReport, relative_l2
from export.records import Record
from export.request import Target
from export.runners import OrtRunner
from export.shapes import Flavor, TensorSpec
from export.shared_weights import share_weights
from tests.export import small
from tests.models import tiny


class Sum(torch.nn.Module):
    """A product by weights of float16's size and one by weights beyond it."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        weights = torch.randn(32, 32, generator=torch.Generator().manual_seed(seed))
        self.fits = torch.nn.Parameter(weights)
        self.large = torch.nn.Parameter(weights * 1e6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x @ self.fits + (x @ self.large) * 1e-6,)


def network(label: str, rows: int, seed: int = 1) -> ExportNetwork:
    return ExportNetwork(
        role="text_encoder",
        label=label,
        module=Sum(seed).eval(),
        inputs=(TensorSpec("x", (rows, 32)),),
        outputs=("y",),
    )


def outputs(made: ExportNetwork, path: Path) -> torch.Tensor:
    x = torch.randn(made.inputs[0].shape, generator=torch.Generator().manual_seed(4))
    return OrtRunner(made, path, threads=1)({"x": x})["y"]


def test_weights_take_half_the_disk_and_change_by_their_rounding(tmp_path: Path) -> None:
    made = network("a", 3)
    path = write_onnx(made, tmp_path)
    exact, size = outputs(made, path), data_file(path).stat().st_size
    assert store_half(path) == 1
    found = outputs(made, path)
    assert 1e-6 < relative_l2(found, exact) < 5e-4
    assert data_file(path).stat().st_size == size * 3 / 4  # one of the two tensors
    graph = onnx.load(path).graph
    kinds = sorted(each.data_type for each in graph.initializer if each.dims == [32, 32])
    assert kinds == [TensorProto.FLOAT, TensorProto.FLOAT16], "what float16 cannot hold stays"
    assert not any(node.metadata_props or node.doc_string for node in graph.node)


def test_scales_of_quantized_weights_stay_exact(tmp_path: Path) -> None:
    path = tmp_path / "scaled.onnx"
    values = np.linspace(0.1, 0.9, 512, dtype=np.float32)
    names = ("w", "w_scale", "w_zero_point")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["w"], ["y"])],
        "scaled",
        [],
        [onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, [512])],
        [numpy_helper.from_array(values, name) for name in names],
    )
    onnx.save(onnx.helper.make_model(graph), path)
    assert store_half(path) == 1
    kinds = {each.name: each.data_type for each in onnx.load(path).graph.initializer}
    assert kinds == {
        "w_half": TensorProto.FLOAT16,
        "w_scale": TensorProto.FLOAT,
        "w_zero_point": TensorProto.FLOAT,
    }


def recorded(made: ExportNetwork, folder: Path) -> Record:
    path = write_onnx(made, folder / "networks")
    finished = Finished(
        graph=Graph(made, output_specs(path), path),
        files=(path, data_file(path)),
        precision="fp32",
        flavor=Flavor.SLICE if made.role == "dit" else None,
        report=ParityReport(key=made.key, precision="fp32", relative_l2=(0.001,), bound=0.005),
        identity=None,
        flops=None,
    )
    return entry_of(finished, Target.ONNX, folder)


def test_sizes_of_a_role_share_their_weights_and_compute_as_before(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    made = [network("64x32x1", 3), network("64x32x2", 5), network("64x64x2", 7, seed=2)]
    records = [recorded(each, tmp_path) for each in made]
    before = [
        outputs(each, tmp_path / record.entry.files[0].path)
        for each, record in zip(made, records, strict=True)
    ]
    apart = sum(file.bytes for record in records for file in record.entry.files[1:])
    shared = share_weights(records, tmp_path)
    weights = {file for record in shared for file in record.entry.files[1:]}
    assert [file.path for file in weights] == ["networks/text_encoder.weights"]
    assert next(iter(weights)).bytes == apart * 2 / 3, "two of the three are equal"
    assert len(list((tmp_path / "networks").iterdir())) == 4
    for each, record, expected in zip(made, shared, before, strict=True):
        assert torch.equal(outputs(each, tmp_path / record.entry.files[0].path), expected)


def test_a_role_of_one_size_keeps_its_files(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    records = [recorded(network("64x32x1", 3), tmp_path)]
    assert share_weights(records, tmp_path) == records


def test_a_transformer_shares_nearly_all_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(2)
        family = WanFamily(dit=tiny.wan())
    shapes = [small.shape(), replace(small.shape(), height_px=64)]
    records = [recorded(dit_network(family, each, small.SLICE), tmp_path) for each in shapes]
    largest = max(record.entry.files[1].bytes for record in records)
    assert share_weights(records, tmp_path)[0].entry.files[1].bytes < 1.1 * largest
