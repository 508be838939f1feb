from __future__ import annotations

from collections.abc import Sequence

import pytest

from engines.bundle import Bundle, Taste
from engines.errors import ArtifactError, DeviceError
from engines.manifest import Format, Hardware, Manifest
from engines.runtimes import choice
from engines.runtimes.choice import FORMATS, RUNTIMES, Machine, choose, start

ALL = frozenset({"onnxruntime", "openvino", "torch", "tensorrt"})
GPU = Hardware(compute_capability="9.0", gpu="NVIDIA H100", runtime_version="tensorrt 11.4")


def holding(bundle: Bundle, formats: Sequence[Format]) -> Manifest:
    dit = bundle.pick("dit", bundle.manifest.sizes[0], Taste(("onnx",), ("slice",)))
    networks = tuple(
        dit.model_copy(update={"format": each, "hardware": GPU if each == "tensorrt" else None})
        for each in formats
    )
    return bundle.manifest.model_copy(update={"networks": networks})


@pytest.mark.parametrize(
    ("formats", "machine", "wanted"),
    [
        (["onnx"], Machine(ALL, has_gpu=False), "onnxruntime"),
        (["onnx", "openvino"], Machine(ALL, has_gpu=False), "openvino"),
        (["onnx", "openvino"], Machine(frozenset({"onnxruntime"}), has_gpu=True), "onnxruntime"),
        (["onnx", "openvino", "torch"], Machine(ALL, has_gpu=True), "torch"),
        (["onnx", "tensorrt", "torch"], Machine(ALL, has_gpu=True), "tensorrt"),
        (["onnx", "tensorrt", "torch"], Machine(ALL, has_gpu=False), "onnxruntime"),
    ],
)
def test_the_fastest_that_fits_is_chosen_and_says_why(
    bundle: Bundle, formats: list[Format], machine: Machine, wanted: str
) -> None:
    name, reason = choose(holding(bundle, formats), machine)
    assert name == wanted
    assert reason


def test_a_bundle_for_a_gpu_is_refused_where_there_is_none(bundle: Bundle) -> None:
    machine = Machine(ALL, has_gpu=False)
    with pytest.raises(ArtifactError, match="for NVIDIA H100, and this machine has no NVIDIA GPU"):
        choose(holding(bundle, ["tensorrt"]), machine)


def test_a_missing_package_is_named_with_what_to_type(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match=r"pip install 'parley-avatar\[openvino\]'"):
        choose(holding(bundle, ["openvino"]), Machine(frozenset(), has_gpu=False))


def test_starting_a_runtime_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'openvino'", name="openvino")

    monkeypatch.setattr(choice, "OpenVinoRuntime", missing)
    with pytest.raises(DeviceError, match="openvino needs the package openvino: pip install"):
        start("openvino", 1)


def test_tensorrt_without_a_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.runtimes.cuda_device.LIBRARY", "libnothing.so.1")
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        start("tensorrt", 1)


def test_every_runtime_has_its_formats() -> None:
    assert set(FORMATS) == set(RUNTIMES)
