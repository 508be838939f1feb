from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import ArtifactError, DeviceError, InputError
from engines.manifest import FileEntry, NetworkEntry, TensorEntry
from engines.runtimes.base import CpuOptions
from engines.runtimes.host_memory import HostBuffer
from engines.runtimes.torch_limits import measure_gpu
from engines.runtimes.torch_runtime import TorchMode, TorchRuntime

torch = pytest.importorskip("torch")

LATENT = TensorEntry(name="past_k.0", shape=(1, 2, 4, 3), dtype="float32")
SCALE = TensorEntry(name="scale", shape=(1,), dtype="float32")
OUT = TensorEntry(name="velocity", shape=(1, 2, 4, 3), dtype="float32")
NEXT = TensorEntry(name="next", shape=(1,), dtype="float32")


class Tiny(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional here
    def forward(self, latent: object, scale: object) -> tuple[object, object]:
        return latent * scale, scale + 1  # type: ignore[operator]


def entry() -> NetworkEntry:
    return NetworkEntry(
        role="dit",
        size=None,
        format="torch",
        precision="fp32",
        files=(FileEntry(path="dit.pt2", sha256="0" * 64, bytes=1),),
        inputs=(LATENT, SCALE),
        outputs=(OUT, NEXT),
        kv="slice",
    )


@pytest.fixture
def runtime() -> TorchRuntime:
    return TorchRuntime(CpuOptions(threads=1))


def test_an_exported_program_reads_and_writes_bound_memory(
    tmp_path: Path, runtime: TorchRuntime
) -> None:
    path = tmp_path / "dit.pt2"
    example = (torch.zeros(1, 2, 4, 3), torch.zeros(1))
    torch.export.save(torch.export.export(Tiny(), example), path)
    network = runtime.load(path, entry())
    latent, scale, out = (runtime.allocate(each) for each in (LATENT, SCALE, OUT))
    call = network.bind({"past_k.0": latent, "scale": scale}, {"velocity": out, "next": scale})
    latent.write(np.full(LATENT.shape, 3, np.float32))
    scale.write(np.ones(1, np.float32))
    for wanted in (3.0, 6.0, 9.0):  # the scale is a state: it went out into its own memory
        call.run()
        assert (out.read() == wanted).all()


def test_a_damaged_program_is_refused_in_one_line(tmp_path: Path, runtime: TorchRuntime) -> None:
    path = tmp_path / "dit.pt2"
    path.write_bytes(b"no program")
    with pytest.raises(ArtifactError, match=r"cannot load .*; export the bundle") as caught:
        runtime.load(path, entry())
    assert "\n" not in str(caught.value)


def test_blending_and_copying_tokens(runtime: TorchRuntime) -> None:
    one, two = runtime.allocate(LATENT), runtime.allocate(LATENT)
    one.write(np.full(LATENT.shape, 2, np.float32))
    two.write(np.full(LATENT.shape, 10, np.float32))
    one.blend(0.5, two, -0.1)
    assert np.abs(one.read()).max() < 1e-6
    one.blend(0.0, two, 0.5)
    assert (one.read() == 5).all()
    one.copy_tokens(two, 1, 2)
    assert one.read()[0, 0, :, 0].tolist() == [5, 10, 10, 5]
    with pytest.raises(InputError, match="memory of another runtime"):
        one.copy_tokens(HostBuffer(LATENT), 0, 1)


def test_compiled_programs_give_what_eager_ones_give(tmp_path: Path) -> None:
    path = tmp_path / "dit.pt2"
    torch.export.save(torch.export.export(Tiny(), (torch.zeros(1, 2, 4, 3), torch.zeros(1))), path)
    results = []
    for mode in (TorchMode.EAGER, TorchMode.COMPILED):
        runtime = TorchRuntime(CpuOptions(threads=1), mode, backend="aot_eager")
        assert runtime.name == mode.value
        network = runtime.load(path, entry())
        latent, scale, out = (runtime.allocate(each) for each in (LATENT, SCALE, OUT))
        call = network.bind({"past_k.0": latent, "scale": scale}, {"velocity": out, "next": scale})
        latent.write(np.arange(24, dtype=np.float32).reshape(LATENT.shape))
        scale.write(np.full(1, 2, np.float32))
        for _ in range(2):
            call.run()
        results.append(out.read().copy())
    assert (results[0] == results[1]).all()
    assert results[0].max() == 23 * 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_graphs_without_a_gpu_are_refused() -> None:
    with pytest.raises(DeviceError, match="CUDA graphs need a GPU"):
        TorchRuntime(CpuOptions(threads=1), TorchMode.GRAPHS)


def test_a_program_that_fails_is_an_error_in_one_line(
    tmp_path: Path, runtime: TorchRuntime
) -> None:
    path = tmp_path / "dit.pt2"
    torch.export.save(torch.export.export(Tiny(), (torch.zeros(1, 2, 9, 3), torch.zeros(1))), path)
    network = runtime.load(path, entry())  # made for other shapes than the manifest says
    latent, scale, out = (runtime.allocate(each) for each in (LATENT, SCALE, OUT))
    call = network.bind({"past_k.0": latent, "scale": scale}, {"velocity": out, "next": scale})
    with pytest.raises(DeviceError, match="torch failed in dit") as caught:
        call.run()
    assert "\n" not in str(caught.value)


def test_work_side_by_side_is_done_and_timed(runtime: TorchRuntime) -> None:
    done: list[str] = []
    times = runtime.beside(lambda: done.append("cache"), lambda: done.append("decode"))
    assert done == ["cache", "decode"]
    assert all(ms >= 0 for ms in times)


def test_the_limits_of_a_device_are_measured() -> None:
    limits = measure_gpu(side=64, copied=2**16)
    assert limits.linear_flops_per_second > 1e6
    assert limits.bytes_per_second > 1e6
