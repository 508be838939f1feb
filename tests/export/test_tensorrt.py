from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from export.dit import dit_network
from export.errors import CompileError, RequestError
from export.onnx_file import write_onnx
from export.tensorrt.build import Compiler, require_single_layers, write_prepared
from export.tensorrt.check import INPLACE
from export.tensorrt.target import Api, EngineIdentity, parse_name, require_fresh
from tests.export import small

HERE = EngineIdentity("bf16", "SM89", Api.RTX, "1.7.1.116")
has_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="needs the extra [tensorrt-rtx]"
)


@pytest.mark.parametrize("gpu", ["SM89", "SM120", None])
def test_an_engines_name_says_all_that_it_was_built_for(gpu: str | None) -> None:
    identity = HERE._replace(gpu=gpu)
    assert parse_name(identity.file_name("dit-448x256x2")) == ("dit-448x256x2", identity)


def test_a_compute_capability_is_read_from_a_gpu() -> None:
    given = {"SM89": "8.9", "SM120": "12.0"}
    assert {gpu: HERE._replace(gpu=gpu).compute_capability for gpu in given} == given


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"gpu": "SM120"}, "GPU SM120, here is SM89"),
        ({"version": "1.6.0"}, "version 1.6.0"),
        ({"api": Api.FULL}, "runtime tensorrt"),
        ({"precision": "fp8"}, "precision fp8"),
    ],
)
def test_a_stale_engine_is_refused(changes: dict[str, str], what: str) -> None:
    name = HERE._replace(**changes).file_name("dit")  # type: ignore[arg-type]  # one field at a time
    with pytest.raises(CompileError, match=what):
        require_fresh(name, HERE)


def test_a_fresh_engine_and_one_for_any_gpu_pass() -> None:
    require_fresh(HERE.file_name("dit"), HERE)
    require_fresh(HERE._replace(gpu=None).file_name("dit"), HERE)


def test_a_file_that_does_not_say_what_it_is_is_refused() -> None:
    with pytest.raises(RequestError, match="does not say"):
        parse_name("dit.engine")


@has_rtx
def test_a_tiny_transformer_builds_without_a_gpu(tmp_path: Path) -> None:
    family = small.FAMILIES["multitalk"]()
    family.dit.to(INPLACE.dtype)
    graph = write_onnx(dit_network(family, small.shape(), INPLACE), tmp_path)
    prepared = write_prepared(graph, tmp_path / "prepared.onnx")
    engine = Compiler(Api.RTX).build(prepared, "bf16", "SM89")
    layers = {"ATTENTION_INPUT": 10, "ROTARY_EMBEDDING": 4, "KV_CACHE_UPDATE": 4}
    assert layers.items() <= engine.layers.items()
    assert len(engine.plan) > 10_000
    with pytest.raises(CompileError, match="KV_CACHE_UPDATE"):
        require_single_layers(prepared, {**engine.layers, "KV_CACHE_UPDATE": 3})
