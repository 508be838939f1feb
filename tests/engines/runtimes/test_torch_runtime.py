from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engines.errors import ArtifactError, InputError
from engines.manifest import FileEntry, NetworkEntry, TensorEntry
from engines.runtimes.base import CpuOptions
from engines.runtimes.host_memory import HostBuffer
from engines.runtimes.torch_runtime import WARM_UP_RUNS, TorchRuntime, _Recording

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


def test_recorded_work_is_done_exactly_once_a_call() -> None:
    """Warming up counts, a capture does nothing by itself, and then graphs are replayed."""
    done: list[str] = []
    is_capturing = [False]

    class Graph:
        def replay(self) -> None:
            done.append("replayed")

    class Capture:
        def __enter__(self) -> None:
            is_capturing[0] = True

        def __exit__(self, *_: object) -> None:
            is_capturing[0] = False

    class Stream:
        def wait_stream(self, _: object) -> None:
            return None

    def graph(_: Graph, stream: Stream) -> AbstractContextManager[None]:
        return Capture()

    def on(_: Stream) -> AbstractContextManager[None]:
        return nullcontext()

    cuda = SimpleNamespace(
        Stream=Stream, CUDAGraph=Graph, graph=graph, stream=on, current_stream=Stream
    )

    def work() -> None:
        done.append("captured" if is_capturing[0] else "ran")

    recorded: Callable[[], None] = _Recording(SimpleNamespace(cuda=cuda), work)
    for _ in range(WARM_UP_RUNS + 3):
        recorded()
    assert done == ["ran"] * WARM_UP_RUNS + ["captured"] + ["replayed"] * 3
