"""Runtimes against torch float32, through AvatarStream and far beyond the window of three."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle
from engines.parity import Rolled, TappedRuntime, compare, drift, growth, relative_l2, roll, voices
from engines.parity_cli import parity
from engines.runtimes.choice import start
from engines.scene.scene import Scene
from engines.stream import AvatarStream
from tests.engines.toy_programs import as_programs

app = typer.Typer()
app.command()(parity)


@pytest.fixture(scope="module")
def programs(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    pytest.importorskip("torch")
    return as_programs(bundle, tmp_path_factory.mktemp("programs") / "bundle")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_every_runtime_here_rolls_fifty_chunks_as_torch_does(
    bundle: Bundle, programs: Bundle
) -> None:
    bundles = ("--bundle", bundle.folder, "--bundle", programs.folder)
    done = call("--against", programs.folder, *bundles, "--threads", 1, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    names = [each["variant"].split()[-1] for each in report["variants"]]
    assert {"onnxruntime", "torch-eager"} <= set(names)
    for each in report["variants"]:
        assert len(each["latent_l2"]) == len(each["pixel_l2"]) == 50
        assert each["worst"] < 1e-3, each["variant"]
        assert each["is_met"]
    itself = report["variants"][names.index("torch-eager")]
    assert itself["worst"] == 0


def test_a_missed_bound_is_said_and_ends_in_an_error(
    bundle: Bundle, programs: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.parity.BOUNDS", {"fp32": 1e-12})
    ours = ("--bundle", bundle.folder, "--runtime", "onnxruntime", "--chunks", 2)
    done = call("--against", programs.folder, *ours)
    assert done.exit_code == 1
    assert "| MISSED |" in done.stdout


def test_a_reference_that_is_not_torch_float32_is_refused(bundle: Bundle) -> None:
    done = call("--against", bundle.folder, "--bundle", bundle.folder)
    assert done.exit_code == 2
    assert "is onnx fp32; export the same weights with --target torch" in done.stderr


def test_a_tapped_runtime_shows_what_the_decoder_reads(bundle: Bundle, scene: Scene) -> None:
    tapped = TappedRuntime(start("onnxruntime", 1))
    with AvatarEngine(bundle, tapped) as engine, AvatarStream(engine, scene, seed=1) as stream:
        for seat in range(stream.people):
            stream.join(seat)
        made = list(roll(stream, tapped.latents, voices(2, 2.0, 1), 4))
        latent = stream._room._wiring["latent"].read()  # type: ignore[attr-defined]
        assert (made[-1].latent == latent).all()
    assert len({each.latent.tobytes() for each in made}) == 4


@pytest.mark.parametrize(
    ("errors", "is_met"),
    [
        ((0.004,) * 8, True),
        ((0.004,) * 7 + (0.006,), False),
        ((0.001,) * 4 + (0.002,) * 4, False),  # within the bound, but growing
        ((0.004,) * 7 + (float("nan"),), False),
    ],
)
def test_a_stream_meets_its_bound_in_every_chunk_and_does_not_grow(
    errors: tuple[float, ...], is_met: bool
) -> None:
    frames = np.full((1, 2, 2, 3), 200, np.uint8)
    clean = np.ones((1, 1, 1, 1, 1), np.float32)
    expected = [Rolled(clean, frames)] * len(errors)
    found = (Rolled(clean * np.float32(1 + error), frames) for error in errors)
    made = drift("x", "y", {"dit": "fp32"}, found, expected)
    assert made.is_met is is_met
    assert made.bound == 0.005


def test_the_bound_is_that_of_the_coarsest_network() -> None:
    chunk = Rolled(np.ones((1,), np.float32), np.ones((1,), np.uint8))
    kinds = {"dit": "int8", "vae_decoder": "bf16", "prompt": "fp32"}
    assert compare(iter([chunk]), [chunk], kinds)[2] == 0.03
    assert relative_l2(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0
    assert growth([1e-9, 1e-7]) == 1
