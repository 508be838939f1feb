"""The logic around TensorRT, against a TensorRT and a GPU that write down what they are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import FileEntry, Hardware, NetworkEntry, TensorEntry
from engines.runtimes.base import Array
from engines.runtimes.cuda_device import CudaDevice, Rows
from engines.runtimes.host_memory import HostBuffer
from engines.runtimes.tensorrt_runtime import TensorRtRuntime

CACHE = TensorEntry(name="past_k.0", shape=(1, 2, 4, 3), dtype="float32")
NEW = TensorEntry(name="velocity", shape=(1, 2), dtype="float32")
PRESENT = TensorEntry(name="present_k.0", shape=(1, 2, 4, 3), dtype="float32")


class FakeDevice:
    """A GPU whose memory is one array of bytes."""

    gpu, compute_capability, stream = "Fake", "9.0", 77

    def __init__(self) -> None:
        self.memory: NDArray[np.uint8] = np.zeros(4096, np.uint8)
        self.next = 256
        self.freed: list[int] = []
        self.is_closed = False

    def allocate(self, size_bytes: int) -> int:
        address, self.next = self.next, self.next + -(-size_bytes // 256) * 256
        return address

    def free(self, address: int) -> None:
        self.freed.append(address)

    def upload(self, address: int, value: Array) -> None:
        data = np.frombuffer(value.tobytes(), np.uint8)
        self.memory[address : address + len(data)] = data

    def download(self, address: int, into: Array) -> None:
        data = self.memory[address : address + into.nbytes]
        into[...] = np.frombuffer(data.tobytes(), into.dtype).reshape(into.shape)

    def copy_rows(self, to: Rows, source: Rows, width_bytes: int, rows: int) -> None:
        for row in range(rows):
            a, b = to.address + row * to.pitch_bytes, source.address + row * source.pitch_bytes
            self.memory[a : a + width_bytes] = self.memory[b : b + width_bytes]

    def synchronize(self) -> None:
        return None

    def close(self) -> None:
        self.is_closed = True


class FakeContext:
    def __init__(self, log: list[object]) -> None:
        self.log = log
        self.addresses: dict[str, int] = {}
        self.is_working = True

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        self.log.append((stream, dict(self.addresses)))
        return self.is_working


class FakeEngine:
    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.shapes = shapes
        self.log: list[object] = []
        self.contexts: list[FakeContext] = []

    @property
    def num_io_tensors(self) -> int:
        return len(self.shapes)

    def get_tensor_name(self, index: int) -> str:
        return list(self.shapes)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def create_execution_context(self) -> FakeContext:
        self.contexts.append(FakeContext(self.log))
        return self.contexts[-1]


class FakeTensorRt:
    __name__ = "tensorrt"
    __version__ = "11.4.0"

    class Logger:
        WARNING = 2

        def __init__(self, level: int) -> None: ...

    def __init__(self, engine: FakeEngine | None) -> None:
        self.engine = engine

    def Runtime(self, _: object) -> FakeTensorRt:  # noqa: N802  # TensorRT's name
        return self

    def deserialize_cuda_engine(self, _: bytes) -> FakeEngine | None:
        return self.engine


def entry(capability: str = "9.0", version: str = "tensorrt 11.4.0") -> NetworkEntry:
    return NetworkEntry(
        role="dit",
        size=None,
        format="tensorrt",
        precision="bf16",
        files=(FileEntry(path="dit.engine", sha256="0" * 64, bytes=1),),
        inputs=(CACHE,),
        outputs=(NEW, PRESENT),
        kv="inplace",
        hardware=Hardware(compute_capability=capability, gpu="Built", runtime_version=version),
    )


def shapes() -> dict[str, tuple[int, ...]]:
    return {each.name: each.shape for each in (CACHE, NEW, PRESENT)}


@pytest.fixture
def engine_file(tmp_path: Path) -> Path:
    path = tmp_path / "dit.engine"
    path.write_bytes(b"x")
    return path


def test_a_cache_stands_at_one_address_coming_in_and_going_out(engine_file: Path) -> None:
    engine, device = FakeEngine(shapes()), FakeDevice()
    runtime = TensorRtRuntime(FakeTensorRt(engine), device)
    cache, velocity = runtime.allocate(CACHE), runtime.allocate(NEW)
    network = runtime.load(engine_file, entry())
    call = network.bind({"past_k.0": cache}, {"velocity": velocity, "present_k.0": cache})
    call.run()
    call.run()
    addresses = {
        "past_k.0": cache.address,
        "present_k.0": cache.address,
        "velocity": velocity.address,
    }
    assert engine.log == [(77, addresses), (77, addresses)]
    assert len(engine.contexts) == 1  # addresses are set once, not at each run


def test_each_binding_has_a_context_of_its_own(engine_file: Path) -> None:
    engine = FakeEngine(shapes())
    runtime = TensorRtRuntime(FakeTensorRt(engine), FakeDevice())
    network = runtime.load(engine_file, entry())
    for _ in range(2):
        cache, velocity = runtime.allocate(CACHE), runtime.allocate(NEW)
        network.bind({"past_k.0": cache}, {"velocity": velocity, "present_k.0": cache})
    assert engine.contexts[0].addresses != engine.contexts[1].addresses


def test_tokens_are_copied_on_the_device_head_by_head() -> None:
    runtime = TensorRtRuntime(FakeTensorRt(None), FakeDevice())
    cache = runtime.allocate(CACHE)
    new = runtime.allocate(TensorEntry(name="new_k.0", shape=(1, 2, 2, 3), dtype="float32"))
    new.write(np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3))
    cache.copy_tokens(new, 1, 2)
    wanted = np.zeros((1, 2, 4, 3), np.float32)
    wanted[:, :, 1:3] = new.read()
    assert (cache.read() == wanted).all()


def test_blending_keeps_to_the_formula() -> None:
    runtime = TensorRtRuntime(FakeTensorRt(None), FakeDevice())
    one, two = runtime.allocate(NEW), runtime.allocate(NEW)
    one.write(np.array([[1, 2]], np.float32))
    two.write(np.array([[10, 20]], np.float32))
    one.blend(2.0, two, 0.5)
    assert one.read().tolist() == [[7, 14]]


@pytest.mark.parametrize(
    ("built", "named"),
    [
        (entry(capability="8.9"), "compute capability 8.9"),
        (entry(version="tensorrt 11.3.0"), "built by tensorrt 11.3.0, here is tensorrt 11.4.0"),
    ],
)
def test_a_stale_engine_is_refused_before_it_is_read(
    engine_file: Path, built: NetworkEntry, named: str
) -> None:
    runtime = TensorRtRuntime(FakeTensorRt(FakeEngine(shapes())), FakeDevice())
    with pytest.raises(ArtifactError, match=named):
        runtime.load(engine_file, built)


def test_an_engine_that_does_not_load_or_fit_is_refused(engine_file: Path) -> None:
    with pytest.raises(ArtifactError, match=r"cannot load .*; run `parley export"):
        TensorRtRuntime(FakeTensorRt(None), FakeDevice()).load(engine_file, entry())
    other = FakeEngine(shapes() | {"velocity": (1, 3)})
    with pytest.raises(ArtifactError, match="velocity is"):
        TensorRtRuntime(FakeTensorRt(other), FakeDevice()).load(engine_file, entry())


def test_a_failing_run_is_an_error(engine_file: Path) -> None:
    engine = FakeEngine(shapes())
    runtime = TensorRtRuntime(FakeTensorRt(engine), FakeDevice())
    cache, velocity = runtime.allocate(CACHE), runtime.allocate(NEW)
    network = runtime.load(engine_file, entry())
    call = network.bind({"past_k.0": cache}, {"velocity": velocity, "present_k.0": cache})
    engine.contexts[0].is_working = False
    with pytest.raises(DeviceError, match="TensorRT failed in dit"):
        call.run()
    with pytest.raises(InputError, match="memory of another runtime"):
        network.bind({"past_k.0": HostBuffer(CACHE)}, {"velocity": velocity, "present_k.0": cache})


def test_closing_frees_every_buffer() -> None:
    device = FakeDevice()
    runtime = TensorRtRuntime(FakeTensorRt(None), device)
    addresses = [runtime.allocate(CACHE).address for _ in range(3)]
    runtime.close()
    assert device.freed == addresses
    assert device.is_closed


def test_without_a_driver_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.runtimes.cuda_device.LIBRARY", "libnothing.so.1")
    with pytest.raises(DeviceError, match="no NVIDIA driver here; choose"):
        CudaDevice()
