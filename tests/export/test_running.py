from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor, nn

from engines.manifest import NetworkEntry
from export import finishing, parity
from export.drafts import Draft, Graph, reference_calls
from export.errors import ParityError, RequestError, SpaceError
from export.estimate import Need, estimate, require_space
from export.families.wan import WanFamily
from export.finishing import finish
from export.network import ExportNetwork
from export.onnx_file import write_onnx
from export.recipes import Built, Loader, Piece, Recipe, Streaming, recipes
from export.request import ExportRequest, Target, parse_size
from export.runners import OrtRunner
from export.running import run_export
from export.shapes import ChunkShape, TensorSpec
from export.weights import Weights
from models.checkpoints.network import Network
from models.wan.dit import WanDiT
from tests.models import tiny


def _tiny_recipe() -> Recipe:
    def build(load: Loader, shape: ChunkShape) -> Built:
        cfg = tiny.wan_config(image_dim=None, in_channels=16)
        network = Network(name="tiny", build=lambda: WanDiT(cfg), parts=())
        family = WanFamily(dit=load(network))
        return Built(family.companions(shape), family)

    return Recipe(
        name="tiny",
        architecture="wan",
        identity="none",
        pieces=(Piece("transformer", frozenset({"dit", "prompt"}), build),),
        latent_stride=8,
        patch=2,
        head_dim=16,
        streaming=Streaming(chunk_frames=1, window_frames=4, context_timestep=0.0),
    )


def request(out: Path) -> ExportRequest:
    return ExportRequest(
        preset="tiny",
        weights=Weights(directory=None, seed=1),
        target=Target.ONNX,
        precision="fp32",
        out=out,
        sizes=(parse_size("64x32x2"),),
        roles=frozenset(),
        gpus=(),
        parity_chunks=6,
        schedules=((1000.0,),),
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[NetworkEntry]]:
    out = tmp_path_factory.mktemp("bundle")
    records = run_export(_tiny_recipe(), request(out), lambda _line: None)
    assert all(record.parity.relative_l2 < 1e-4 for record in records)
    assert [record.parity.chunks for record in records] == [1, 6]
    return out, [record.entry for record in records]


def test_an_export_describes_every_network_and_its_files(
    exported: tuple[Path, list[NetworkEntry]],
) -> None:
    out, entries = exported
    assert [entry.key for entry in entries] == ["prompt", "dit@64x32x2"]
    assert [entry.kv for entry in entries] == [None, "slice"]
    for entry in entries:
        for file in entry.files:
            assert (out / file.path).stat().st_size == file.bytes
    outputs = {each.name: each.shape for each in entries[1].outputs}
    assert outputs["velocity"] == (1, 16, 1, 4, 8)
    assert outputs["new_k.1"] == (1, 2, 8, 16)


def test_a_second_run_goes_on_where_the_first_stopped(
    exported: tuple[Path, list[NetworkEntry]],
) -> None:
    out, entries = exported
    said: list[str] = []
    records = run_export(_tiny_recipe(), request(out), said.append)
    assert [record.entry for record in records] == entries
    assert said == [f"{entry.key}: there from an earlier run" for entry in entries]

    damaged = out / entries[0].files[0].path
    damaged.write_bytes(damaged.read_bytes() + b"x")
    said.clear()
    run_export(_tiny_recipe(), request(out), said.append)
    assert said[0] == "dit@64x32x2: there from an earlier run"
    assert any(line.startswith("prompt fp32: relative L2") for line in said)


def test_failed_parity_leaves_neither_files_nor_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = parity.compare_outputs

    def off(*args: object, **named: object) -> parity.ParityReport:
        report = compare(*args, **named)  # type: ignore[arg-type]  # passed on as they came
        return replace(report, relative_l2=(0.5,))

    monkeypatch.setattr(finishing, "compare_outputs", off)
    with pytest.raises(ParityError, match="prompt fp32"):
        run_export(_tiny_recipe(), request(tmp_path), lambda _line: None)
    assert not list((tmp_path / "networks").iterdir())
    assert [path.name for path in (tmp_path / ".export").iterdir()] == ["request"]


def test_the_estimate_counts_weights_without_loading_them() -> None:
    need = estimate(_tiny_recipe(), request(Path()))
    parameters = sum(
        p.numel() for p in WanDiT(tiny.wan_config(image_dim=None, in_channels=16)).parameters()
    )
    assert 4 * parameters <= need.bundle <= 8 * parameters
    assert need.largest == "dit@64x32x2"


def test_what_does_not_fit_is_refused_with_numbers(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"GiB of disk, .* are free"):
        require_space(Need(2**60, 0, 0, "dit"), tmp_path / "new")
    with pytest.raises(SpaceError, match="GiB of memory"):
        require_space(Need(1, 0, 2**60, "dit"), tmp_path)
    require_space(Need(1, 1, 1, "dit"), tmp_path)


@pytest.mark.parametrize("text", ["448x256", "0448x256x2x1", "448X256X2", ""])
def test_a_size_is_width_height_and_people(text: str) -> None:
    with pytest.raises(RequestError, match="448x256x2"):
        parse_size(text)


def test_a_target_knows_its_precisions(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="fp32 and int8, not fp8"):
        replace(request(tmp_path), precision="fp8")
    with pytest.raises(RequestError, match="SM89"):
        replace(request(tmp_path), target=Target.TENSORRT, precision="fp8")


@pytest.mark.parametrize("name", list(recipes()))
def test_every_preset_can_be_estimated(name: str, tmp_path: Path) -> None:
    need = estimate(recipes()[name](), replace(request(tmp_path), sizes=(parse_size("448x256x2"),)))
    assert need.bundle > 10_000_000


class Counting(nn.Module):
    """Adds up what it hears: its state is all that it gives."""

    def forward(self, x: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        after = total + x
        return after * 1.0, after


def test_a_state_that_leaks_is_found_in_what_comes_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = (TensorSpec("x", (1, 64)), TensorSpec("total", (1, 64)))
    network = ExportNetwork(
        role="audio_encoder",
        label=None,
        module=Counting(),
        inputs=specs,
        outputs=("y", "next_total"),
        states=("total",),
    )
    calls = reference_calls(network, {})

    class Leaking(OrtRunner):
        def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            made = super().__call__(inputs)
            return made | {"next_total": made["next_total"] * 0.98}

    def draft() -> Draft:
        graph = Graph(network, (), write_onnx(network, tmp_path))
        return Draft(graph, calls, None, None, None)

    assert finish(draft(), request(tmp_path), tmp_path)[0].report.worst < 1e-6
    monkeypatch.setattr(finishing, "OrtRunner", Leaking)
    with pytest.raises(ParityError, match="audio_encoder fp32"):
        finish(draft(), request(tmp_path), tmp_path)


class Chaos(nn.Module):
    """Two of its streams that differ by little differ by 37 times as much a call later."""

    def forward(self, x: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        after = (37 * total + x).sin()
        return after * 1.0, after


@pytest.mark.parametrize(
    ("is_chaotic", "off", "passes"), [(False, 1e-4, False), (True, 1e-4, True), (True, 0.02, False)]
)
def test_a_chaotic_network_is_judged_by_each_call_its_states_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_chaotic: bool, off: float, passes: bool
) -> None:
    network = ExportNetwork(
        role="acting",
        label=None,
        module=Chaos(),
        inputs=(TensorSpec("x", (1, 64)), TensorSpec("total", (1, 64))),
        outputs=("y", "next_total"),
        states=("total",),
        is_chaotic=is_chaotic,
    )
    calls = reference_calls(network, {})

    class Off(OrtRunner):
        def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            made = super().__call__(inputs)
            return made | {"next_total": made["next_total"] * (1 + off)}

    monkeypatch.setattr(finishing, "OrtRunner", Off)
    draft = Draft(Graph(network, (), write_onnx(network, tmp_path)), calls, None, None, None)
    if passes:
        assert finish(draft, request(tmp_path), tmp_path)[0].report.worst < 1e-3
    else:
        with pytest.raises(ParityError, match="acting fp32"):
            finish(draft, request(tmp_path), tmp_path)
