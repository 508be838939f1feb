"""`parley render`, `parley scenes` and `parley bench engine`, as a shell would call them."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from engines.bench_cli import engine
from engines.bundle import Bundle
from engines.render_cli import render
from engines.scenes_cli import app as scenes
from tests.engines.test_audio_files import tone, write_wave
from tests.engines.toy_bundle import save_png

render_app = typer.Typer()
render_app.command()(render)
bench_app = typer.Typer()
bench_app.command()(engine)


def call(app: typer.Typer, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    write_wave(path, tone(16000, 1.3), 16000)
    return path


def film(bundle: Bundle, out: Path, *arguments: object) -> Result:
    return call(render_app, "--bundle", bundle.folder, "--out", out, *arguments)


def test_a_film_is_as_long_as_its_longest_voice(
    bundle: Bundle, tmp_path: Path, voice: Path
) -> None:
    short = tmp_path / "short.wav"
    write_wave(short, tone(48000, 0.5), 48000)
    out = tmp_path / "film.mp4"
    done = film(bundle, out, "--audio", f"0={voice}", "--audio", f"1={short}")
    assert done.exit_code == 0, done.output
    assert "1.32 s, real-time factor" in done.stdout
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, video.frames) == (64, 32, 33)
        assert audio.channels == 2
        assert audio.duration is not None
        assert audio.time_base is not None
        assert float(audio.duration * audio.time_base) == pytest.approx(1.32, abs=0.03)


def test_the_same_seed_gives_the_same_film(bundle: Bundle, tmp_path: Path, voice: Path) -> None:
    """As near as x264 lets it: its AVX-512 code rounds a block otherwise once in 300 films."""

    def made(name: str, seed: int) -> NDArray[np.int16]:
        out = tmp_path / name
        arguments = ("--scene", "pair", "--seed", seed, "--threads", 1)
        assert film(bundle, out, "--audio", f"0={voice}", *arguments).exit_code == 0
        with av.open(str(out)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return np.stack(frames).astype(np.int16)

    one, again, other = made("a.mp4", 1), made("b.mp4", 1), made("c.mp4", 2)
    assert np.abs(one - again).mean() < 2
    assert np.abs(one - other).mean() > 8


def test_a_picture_with_boxes_becomes_the_scene(
    bundle: Bundle, tmp_path: Path, voice: Path
) -> None:
    image = tmp_path / "two.png"
    save_png(image, 128, 64)
    out = tmp_path / "film.mp4"
    boxes = "8,8,56,56 72,8,120,56"
    done = film(bundle, out, "--audio", f"1={voice}", "--scene", image, "--boxes", boxes)
    assert done.exit_code == 0, done.output
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--audio", "VOICE"), "is not SEAT=FILE"),
        (("--audio", "x=VOICE"), "is not SEAT=FILE"),
        (("--audio", "0=VOICE", "--audio", "0=VOICE"), "seat 0 has two voices"),
        (("--audio", "0=/no/such.wav"), "cannot read audio from /no/such.wav"),
        (("--audio", "0=VOICE"), "no scene with 1 people"),
        (("--audio", "5=VOICE", "--scene", "pair"), "no seat 5; the scene has 2 people"),
        (("--audio", "0=VOICE", "--scene", "trio"), "no scene 'trio'; it has: pair"),
        (("--audio", "0=VOICE", "--scene", "no/such.png"), "no picture no/such.png"),
        (("--audio", "0=VOICE", "--scene", "VOICE"), "no JPEG, PNG or WebP"),
        (("--audio", "0=VOICE", "--scene", "pair", "--steps", "9"), "no schedule of 9 steps"),
        (("--audio", "0=VOICE", "--scene", "pair", "--threads", "0"), "from 1 to 256"),
        (("--audio", "0=VOICE", "--scene", "pair", "--runtime", "tensorrt"), "holds onnx networks"),
        (("--audio", "0=VOICE", "--scene", "pair", "--out", "x.avi"), "must end in .mp4"),
        (("--audio", "0=VOICE", "--scene", "pair", "--out", "/no/x.mp4"), "does not exist"),
    ],
)
def test_what_cannot_be_filmed_is_said_in_one_line(
    bundle: Bundle, tmp_path: Path, voice: Path, arguments: tuple[str, ...], named: str
) -> None:
    given = [each.replace("VOICE", str(voice)) for each in arguments]
    done = film(bundle, tmp_path / "film.mp4", *given)
    assert done.exit_code == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert named in errors[0]
    assert not list(tmp_path.glob("*.mp4*"))
    assert not list(tmp_path.glob(".*"))


def test_without_a_bundle_the_way_to_one_is_shown(
    tmp_path: Path, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_BUNDLE", str(tmp_path))
    done = call(render_app, "--out", tmp_path / "x.mp4", "--audio", f"0={voice}")
    assert done.exit_code == 2
    assert "is no bundle: it has no bundle.json" in done.stderr


def test_the_environment_names_the_bundle(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_BUNDLE", str(bundle.folder))
    done = call(scenes, "list")
    assert done.exit_code == 0
    assert done.stdout.split() == ["pair", "64x32", "Ada,", "Bo", "two", "people", "talk"]


def test_a_scene_is_prepared_shown_and_filmed(bundle: Bundle, tmp_path: Path, voice: Path) -> None:
    image, home = tmp_path / "two.png", tmp_path / "scene"
    save_png(image, 128, 64)
    boxes = ("--boxes", "72,8,120,56 8,8,56,56", "--prompt", "they nod")
    done = call(scenes, "prepare", image, "--out", home, "--bundle", bundle.folder, *boxes)
    assert done.exit_code == 0, done.output
    assert "person 0: 4,4,28,28" in done.stdout
    assert {path.name for path in home.iterdir()} == {"picture.png", "scene.json", "boxes.png"}
    assert json.loads((home / "scene.json").read_text())["prompt"] == "they nod"
    assert film(bundle, tmp_path / "f.mp4", "--audio", f"0={voice}", "--scene", home).exit_code == 0
    again = call(scenes, "prepare", image, "--out", home, "--bundle", bundle.folder, *boxes)
    assert again.exit_code == 2
    assert "exists; name a new folder" in again.stderr


def test_preparing_a_picture_without_faces_makes_no_folder(bundle: Bundle, tmp_path: Path) -> None:
    image = tmp_path / "noise.png"
    save_png(image, 200, 100)
    done = call(scenes, "prepare", image, "--out", tmp_path / "s", "--bundle", bundle.folder)
    assert done.exit_code == 2
    assert "no face was found" in done.stderr
    assert not (tmp_path / "s").exists()


def test_the_bench_prints_one_object_with_what_was_measured(bundle: Bundle) -> None:
    done = call(bench_app, "--bundle", bundle.folder, "--chunks", 5, "--threads", 1, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["people"] == 2
    assert report["size"] == "64x32"
    assert report["steps"] == 2
    assert report["chunk_duration_ms"] == 160
    assert set(report["chunk_ms"]) == {"p50", "p95", "p99"}
    assert set(report["parts_ms"]) == {"audio", "denoise", "cache", "decode"}
    assert 0 < report["real_time_factor"] < 1
    assert report["real_time_factor"] == pytest.approx(report["chunk_ms"]["p50"] / 160, abs=1e-4)
    in_parts = sum(report["parts_ms"].values())
    assert in_parts / 2 < report["chunk_ms"]["p50"] < 8 * in_parts
    assert 10 < report["peak_memory_mib"] < 10_000
    assert "onnxruntime" in report["runtime"]
    assert report["threads"] == 1


def test_variants_take_turns_in_one_run(bundle: Bundle) -> None:
    variants = ("--variant", "onnxruntime@2", "--variant", "onnxruntime:fp32@1")
    done = call(bench_app, "--bundle", bundle.folder, "--chunks", 3, "--json", *variants)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [each["steps"] for each in report["variants"]] == [2, 1]
    assert all(each["chunks"] == 3 for each in report["variants"])
    table = call(bench_app, "--bundle", bundle.folder, "--chunks", 3, *variants).stdout
    assert "| onnxruntime:fp32@1 | 1 |" in table


@pytest.mark.parametrize("text", ["cuda", "onnxruntime@x", "@2"])
def test_a_variant_that_is_none_is_explained(bundle: Bundle, text: str) -> None:
    done = call(bench_app, "--bundle", bundle.folder, "--variant", text)
    assert done.exit_code == 2
    assert "RUNTIME[:PRECISION][@STEPS]" in done.stderr


def test_a_number_of_people_that_the_bundle_has_not_is_refused(bundle: Bundle) -> None:
    done = call(bench_app, "--bundle", bundle.folder, "--people", 3)
    assert done.exit_code == 2
    assert "takes 2 people, not 3" in done.stderr


def test_silence_is_a_voice_too(bundle: Bundle, tmp_path: Path) -> None:
    write_wave(tmp_path / "silence.wav", np.zeros(8000), 16000)
    done = film(
        bundle, tmp_path / "f.mp4", "--audio", f"0={tmp_path / 'silence.wav'}", "--scene", "pair"
    )
    assert done.exit_code == 0
