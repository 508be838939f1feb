"""What cannot work is said once, in one line, by every command that opens a bundle or a voice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from engines.avatar_engine import AvatarEngine
from engines.bench_cli import engine as bench
from engines.bundle import Bundle
from engines.errors import InputError
from engines.render_cli import render
from engines.runtimes.choice import start
from engines.scene.scene import Scene
from engines.stream import AvatarStream
from tests.engines.test_audio_files import tone, write_wave

render_app, bench_app = typer.Typer(), typer.Typer()
render_app.command()(render)
bench_app.command()(bench)
Damage = Callable[[Path], None]


def manifest_edit(change: Callable[[dict[str, object]], None]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "bundle.json"
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return damage


def manifest_bytes(content: bytes) -> Damage:
    def damage(folder: Path) -> None:
        (folder / "bundle.json").write_bytes(content)

    return damage


def network_edit(change: Callable[[bytes], bytes]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "networks" / "dit.onnx"
        path.write_bytes(change(path.read_bytes()))

    return damage


def as_format(name: str, hardware: object = None) -> Damage:
    def change(data: dict[str, object]) -> None:
        networks = data["networks"]
        assert isinstance(networks, list)
        for network in networks:
            network |= {"format": name, "hardware": hardware}

    return manifest_edit(change)


H100 = {
    "compute_capability": "9.0",
    "gpu": "NVIDIA H100",
    "runtime_version": "tensorrt_rtx 1.7.1",
}
DAMAGES: dict[str, tuple[Damage, str]] = {
    "corrupted manifest": (
        manifest_bytes(b"\x00\xff{"),
        "is damaged (no JSON)",
    ),
    "truncated manifest": (
        manifest_bytes(b'{"schema_version": 1, "na'),
        "is damaged (no JSON)",
    ),
    "newer version": (
        manifest_edit(lambda data: data.update(schema_version=2)),
        "has schema version 2, this Parley reads 1; update Parley",
    ),
    "older version": (
        manifest_edit(lambda data: data.update(schema_version=0)),
        "export the bundle anew with this version",
    ),
    "truncated network": (network_edit(lambda data: data[:-7]), "the manifest says"),
    "tampered network": (
        network_edit(lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        "was altered: its sha256 differs",
    ),
    "missing network": (
        lambda folder: (folder / "networks" / "dit.onnx").unlink(),
        "is missing from the bundle",
    ),
    "TensorRT on a CPU": (
        as_format("tensorrt", H100),
        "holds tensorrt networks for NVIDIA H100, and this machine has no NVIDIA GPU",
    ),
    "torch on a CPU": (
        as_format("torch"),
        "holds torch networks for a GPU, and this machine has no NVIDIA GPU; use a bundle exported "
        "with --target onnx",
    ),
}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("engines.runtimes.choice.GPU_DEVICE", tmp_path / "no-gpu")


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    write_wave(path, tone(16000, 0.5), 16000)
    return path


def one_error(app: typer.Typer, *arguments: object) -> str:
    """Call a command that must fail; give its one line."""
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == 2, done.output
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.output
    return errors[0]


@pytest.mark.parametrize("name", list(DAMAGES))
def test_a_bundle_that_cannot_run_is_refused_by_every_command(
    own_bundle: Bundle, voice: Path, tmp_path: Path, name: str
) -> None:
    damage, said = DAMAGES[name]
    damage(own_bundle.folder)
    out = tmp_path / "film.mp4"
    film = ("--bundle", own_bundle.folder, "--scene", "pair", "--audio", f"0={voice}", "--out", out)
    assert said in one_error(render_app, *film)
    assert not out.exists()
    assert said in one_error(bench_app, "--bundle", own_bundle.folder, "--chunks", 1)


def test_a_gpu_runtime_asked_for_on_a_cpu_names_what_is_missing(
    own_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.runtimes.cuda_device.LIBRARY", "libnothing.so.1")
    as_format("tensorrt", H100)(own_bundle.folder)
    asked = ("--bundle", own_bundle.folder, "--runtime", "tensorrt", "--chunks", 1)
    assert "there is no NVIDIA driver here" in one_error(bench_app, *asked)


def test_a_voice_with_nan_is_refused_before_anything_is_filmed(
    bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "nan.wav"
    samples = np.zeros(16000, np.float32)
    samples[77] = np.nan
    write_float_wave(path, samples)
    asked = ("--bundle", bundle.folder, "--scene", "pair", "--audio", f"0={path}")
    assert "finite" in one_error(render_app, *asked, "--out", tmp_path / "x.mp4")


def write_float_wave(path: Path, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    """Write IEEE float samples at 16 kHz, which can hold a NaN."""
    data = samples.tobytes()
    head = np.array([3, 1], "<u2").tobytes() + np.array([16000, 64000], "<u4").tobytes()
    body = b"fmt " + np.uint32(16).tobytes() + head + np.array([4, 32], "<u2").tobytes()
    body += b"data" + np.uint32(len(data)).tobytes() + data
    path.write_bytes(b"RIFF" + np.uint32(4 + len(body)).tobytes() + b"WAVE" + body)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda s: s.push(0, np.zeros(480, np.float32), 48000), "16000"),
        (lambda s: s.push(0, np.full(160, np.nan, np.float32)), "up to nan"),
        (lambda s: s.push(1, np.zeros(160, np.float32)), "nobody has seat 1; join it first"),
        (lambda s: s.push(7, np.zeros(160, np.float32)), "there is no seat 7"),
        (lambda s: s.leave(1), "nobody has seat 1"),
    ],
    ids=["wrong rate", "NaN", "empty seat", "no such seat", "leaving"],
)
def test_a_refused_voice_leaves_the_room_as_it_was(
    engine: AvatarEngine, scene: Scene, act: Callable[[AvatarStream], None], said: str
) -> None:
    with AvatarStream(engine, scene, seed=1) as stream, AvatarStream(engine, scene, seed=1) as twin:
        for each in (stream, twin):
            each.join(0)
        with pytest.raises(InputError, match=said):
            act(stream)
        assert stream.make_chunk().frames.tobytes() == twin.make_chunk().frames.tobytes()


def test_a_runtime_without_its_package_says_what_to_type(
    own_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    asked = ("--bundle", own_bundle.folder, "--runtime", "openvino", "--chunks", 1)
    assert "pip install 'parley-avatar[openvino]'" in one_error(bench_app, *asked)
    assert start("onnxruntime", 1).name == "onnxruntime"
