from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.architectures.wiring import Wiring
from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle, Taste, open_bundle
from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import NetworkEntry, TensorEntry
from engines.runtimes.base import Buffer, CpuOptions, Runtime
from engines.runtimes.choice import RuntimeName, start
from engines.runtimes.host_memory import HostBuffer
from engines.runtimes.ort import FEW_FLOPS, OrtOptions, OrtRuntime

CPU_RUNTIMES = ["onnxruntime", "openvino"]


def entry_of(bundle: Bundle) -> NetworkEntry:
    return bundle.pick("picture_encoder", bundle.manifest.sizes[0], Taste(("onnx",), ("slice",)))


def started(name: RuntimeName) -> Runtime:
    pytest.importorskip(name)
    return start(name, 1)


@pytest.mark.parametrize("name", CPU_RUNTIMES)
def test_a_call_reads_and_writes_the_bound_memory(bundle: Bundle, name: RuntimeName) -> None:
    runtime, entry = started(name), entry_of(bundle)
    network = runtime.load(bundle.folder / entry.files[0].path, entry)
    inputs = {each.name: runtime.allocate(each) for each in entry.inputs}
    outputs = {each.name: runtime.allocate(each) for each in entry.outputs}
    call = network.bind(inputs, outputs)
    seen = outputs["reference"].read()
    for value in (1.0, -0.5):
        inputs["picture"].write(np.full((1, 3, 32, 64), value, np.float32))
        call.run()
        assert seen == pytest.approx(np.full((1, 4, 1, 2, 4), value))  # the same memory


@pytest.mark.parametrize("name", CPU_RUNTIMES)
def test_wrong_bindings_are_refused(bundle: Bundle, name: RuntimeName) -> None:
    runtime, entry = started(name), entry_of(bundle)
    network = runtime.load(bundle.folder / entry.files[0].path, entry)
    inputs: dict[str, Buffer] = {each.name: runtime.allocate(each) for each in entry.inputs}
    outputs: dict[str, Buffer] = {each.name: runtime.allocate(each) for each in entry.outputs}
    with pytest.raises(InputError, match="bind every tensor and no other; wrong: picture"):
        network.bind({}, outputs)
    with pytest.raises(InputError, match="wrong: extra"):
        network.bind({**inputs, "extra": inputs["picture"]}, outputs)
    odd = runtime.allocate(TensorEntry(name="picture", shape=(1, 3, 32, 32), dtype="float32"))
    with pytest.raises(InputError, match=r"picture is float32\[1, 3, 32, 64\], the buffer is"):
        network.bind({"picture": odd}, outputs)


@pytest.mark.parametrize("name", CPU_RUNTIMES)
def test_a_network_that_is_not_as_described_is_refused(bundle: Bundle, name: RuntimeName) -> None:
    runtime, entry = started(name), entry_of(bundle)
    wrong = entry.inputs[0].model_copy(update={"shape": (1, 3, 32, 32)})
    odd = entry.model_copy(update={"inputs": (wrong,)})
    with pytest.raises(ArtifactError, match=r"picture is .*64.*, the manifest says .*export"):
        runtime.load(bundle.folder / entry.files[0].path, odd)


@pytest.mark.parametrize("name", CPU_RUNTIMES)
def test_a_file_that_is_no_network_is_refused_in_one_line(
    bundle: Bundle, tmp_path: Path, name: RuntimeName
) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ArtifactError, match="cannot load") as caught:
        started(name).load(path, entry_of(bundle))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_an_engine_refuses_a_damaged_network(own_bundle: Bundle, damage: str) -> None:
    path = own_bundle.folder / "networks" / "dit.onnx"
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[:-1])
    elif damage == "altered":
        path.write_bytes(whole.replace(b"Tanh", b"Sinh"))
    else:
        path.unlink()
    with (
        AvatarEngine(open_bundle(own_bundle.folder), start("onnxruntime", 1)) as engine,
        pytest.raises(ArtifactError, match=r"dit\.onnx"),
    ):
        engine.networks(own_bundle.manifest.sizes[0])


def test_networks_that_disagree_on_a_tensor_are_refused() -> None:
    wiring = Wiring(start("onnxruntime", 1))
    wiring.add(TensorEntry(name="latent", shape=(1, 4), dtype="float32"))
    with pytest.raises(
        ArtifactError, match=r"disagree on latent: float32\[1, 4\] and float32\[1, 8"
    ):
        wiring.add(TensorEntry(name="latent", shape=(1, 8), dtype="float32"))


def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="has no CUDAExecutionProvider; install"):
        OrtRuntime(OrtOptions(cpu=CpuOptions(threads=1), provider="cuda"))


def test_host_memory_is_aligned_and_checked() -> None:
    for size in (1, 3, 1000):
        buffer = HostBuffer(TensorEntry(name="x", shape=(size,), dtype="float32"))
        assert buffer.array.ctypes.data % 64 == 0
        assert not buffer.array.any()
    with pytest.raises(InputError, match=r"x takes float32\[1000\], got float64\[1000\]"):
        buffer.write(np.zeros(1000))
    with pytest.raises(DeviceError, match="bfloat16"):
        HostBuffer(TensorEntry(name="x", shape=(1,), dtype="bfloat16"))


def test_blending_and_copying_tokens() -> None:
    spec = TensorEntry(name="x", shape=(1, 2, 4, 3), dtype="float32")
    one, two = HostBuffer(spec), HostBuffer(spec)
    one.write(np.full(spec.shape, 2, np.float32))
    two.write(np.full(spec.shape, 10, np.float32))
    one.blend(0.5, two, -0.1)
    assert (one.read() == 0).all()
    one.blend(0.0, two, 0.5)
    assert (one.read() == 5).all()
    one.copy_tokens(two, 1, 2)
    assert one.read()[0, 0, :, 0].tolist() == [5, 10, 10, 5]


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_threads_are_a_small_number(threads: int) -> None:
    with pytest.raises(InputError, match="from 1 to 256"):
        start("onnxruntime", threads)


@pytest.mark.parametrize(
    ("flops", "threads"), [(None, 2), (FEW_FLOPS, 2), (FEW_FLOPS - 1, 1)], ids=str
)
def test_small_networks_compute_on_one_thread(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, flops: int | None, threads: int
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    asked: list[int] = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc, name-defined]
        def __init__(self, path: str, settings: Any, **others: Any) -> None:
            asked.append(settings.intra_op_num_threads)
            super().__init__(path, settings, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    entry = entry_of(bundle).model_copy(update={"flops": flops})
    start("onnxruntime", 2).load(bundle.folder / entry.files[0].path, entry)
    assert asked == [threads]
