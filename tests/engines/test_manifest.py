from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.bundle import Bundle, Taste, open_bundle
from engines.errors import ArtifactError, InputError
from engines.manifest import (
    FileEntry,
    Hardware,
    NetworkEntry,
    Size,
    check_file,
    describe_file,
    read_manifest,
    write_manifest,
)
from engines.runtimes.hardware import check_hardware

ONNX = Taste(("onnx",), ("slice",))
Edit = Callable[[dict[str, Any]], object]


def edit(folder: Path, change: Edit) -> None:
    path = folder / "bundle.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def refusal(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_manifest(folder)
    return str(caught.value)


def test_what_is_written_is_read(own_bundle: Bundle) -> None:
    write_manifest(own_bundle.manifest, own_bundle.folder)
    assert read_manifest(own_bundle.folder) == own_bundle.manifest
    assert not list(own_bundle.folder.glob("*.part"))


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert "is no bundle: it has no bundle.json" in refusal(tmp_path)
    assert "is no bundle" in refusal(tmp_path / "nowhere")


def test_a_manifest_cut_short_is_damaged(own_bundle: Bundle) -> None:
    path = own_bundle.folder / "bundle.json"
    path.write_text(path.read_text()[:500])
    assert "is damaged (no JSON)" in refusal(own_bundle.folder)


def test_deep_nesting_is_damage_and_no_crash(own_bundle: Bundle) -> None:
    (own_bundle.folder / "bundle.json").write_text("[" * 200_000)
    assert "is damaged" in refusal(own_bundle.folder)


def test_a_manifest_larger_than_any_is_not_read(own_bundle: Bundle) -> None:
    (own_bundle.folder / "bundle.json").write_bytes(b" " * (8 * 2**20 + 1))
    assert "no manifest" in refusal(own_bundle.folder)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (2, "update Parley"),
        (0, "export the bundle anew"),
        ("1", "anew"),
        (None, "anew"),
        (True, "anew"),
    ],
)
def test_another_schema_version_says_what_to_do(
    own_bundle: Bundle, version: object, advice: str
) -> None:
    edit(own_bundle.folder, lambda data: data.update(schema_version=version))
    message = refusal(own_bundle.folder)
    assert f"schema version {version!r}, this Parley reads 1" in message
    assert advice in message


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d["networks"][0].update(surprise=1), "networks.0.surprise"),
        (lambda d: d.pop("latent"), "latent"),
        (lambda d: d.update(fps=30), "fps"),
        (lambda d: d.update(chunk_frames="1"), "chunk_frames"),
        (lambda d: d.update(chunk_frames=2), "window_frames=3 is no multiple"),
        (lambda d: d["sizes"].append(d["sizes"][0]), "a size is listed twice: 64x32x2"),
        (lambda d: d["sizes"][0].update(width=70), "for a size that `sizes` does not list"),
        (lambda d: d["networks"].append(d["networks"][0]), "a network is listed twice"),
        (lambda d: d["networks"][5].update(kv=None), "the dit needs it"),
        (lambda d: d["networks"][0]["states"][0].update(input="x"), "has no tensors x"),
        (lambda d: d["networks"][0]["states"][0].update(output="curves"), "differ in shape"),
        (lambda d: d["networks"][0]["states"][0].update(person_axis=3), "has no axis 3"),
        (lambda d: d["networks"][0]["states"][0].pop("person_axis"), "nobody can be interrupted"),
        (lambda d: d["networks"][0].update(format="tensorrt"), "they need it"),
        (lambda d: d["sampling"].update(schedules=[[500.0, 1000.0]]), "do not fall"),
        (lambda d: d["sampling"].update(schedules=[[1000.0], [900.0]]), "same number of steps"),
        (lambda d: d["rotation"].update(is_sink_timeless=False), "needs `most_positions`"),
        (lambda d: d["rotation"].update(most_positions=7), "is too few for the window"),
        (lambda d: d["rotation"].update(time_channels=3), "are no pairs"),
        (lambda d: d["tokenizer"].update(kind="words"), "needs a file"),
        (lambda d: d["tokenizer"].update(kind="sentencepiece"), "needs a file"),
        (lambda d: d.update(architecture="multitalk"), "both need it"),
        (lambda d: d.update(wan={"clip_frames": 21, "audio_past_frames": 100}), "both need it"),
        (lambda d: d["scenes"][0].update(name="../pair"), "scenes.0.name"),
    ],
)
def test_a_broken_rule_is_named(own_bundle: Bundle, change: Edit, named: str) -> None:
    edit(own_bundle.folder, change)
    message = refusal(own_bundle.folder)
    assert "is no valid manifest" in message
    assert named in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../outside", "networks/../../x", "a\\b", "C:/x", "./x", "a//b", "", "a\0b"],
)
def test_a_path_never_leaves_the_bundle(own_bundle: Bundle, path: str) -> None:
    edit(own_bundle.folder, lambda data: data["networks"][0]["files"][0].update(path=path))
    assert "networks.0.files.0.path" in refusal(own_bundle.folder)


def test_a_link_never_leaves_the_bundle(own_bundle: Bundle, tmp_path: Path) -> None:
    entry = own_bundle.manifest.networks[0].files[0]
    path = own_bundle.folder / entry.path
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(ArtifactError, match="a link that leaves the bundle"):
        check_file(own_bundle.folder, entry)


def test_a_file_is_checked_for_presence_length_and_content(own_bundle: Bundle) -> None:
    entry = own_bundle.manifest.networks[0].files[0]
    path = own_bundle.folder / entry.path
    assert check_file(own_bundle.folder, entry) == path
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(ArtifactError, match=f"has {len(whole) - 10} bytes, the manifest says"):
        check_file(own_bundle.folder, entry)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtifactError, match="was altered: its sha256 differs"):
        check_file(own_bundle.folder, entry)
    path.unlink()
    with pytest.raises(ArtifactError, match="is missing from the bundle; copy"):
        check_file(own_bundle.folder, entry)


def test_a_bundle_with_a_wrong_file_is_never_written(own_bundle: Bundle) -> None:
    folder = own_bundle.folder
    (folder / "bundle.json").unlink()
    (folder / own_bundle.manifest.networks[0].files[0].path).write_bytes(b"x")
    with pytest.raises(ArtifactError):
        write_manifest(own_bundle.manifest, folder)
    assert not (folder / "bundle.json").exists()


def test_parity_that_failed_cannot_be_written_as_valid(own_bundle: Bundle) -> None:
    parity = {
        "network": "dit",
        "precision": "int8",
        "chunks": 50,
        "relative_l2": 0.04,
        "bound": 0.03,
    }
    edit(own_bundle.folder, lambda data: data["parity"].append(parity))
    assert "dit is 0.04 from torch, allowed is 0.03" in refusal(own_bundle.folder)
    parity["relative_l2"] = float("nan")
    edit(own_bundle.folder, lambda data: data.update(parity=[parity]))
    assert "parity" in refusal(own_bundle.folder)


def test_only_files_inside_can_be_described(tmp_path: Path) -> None:
    inside, outside = tmp_path / "bundle", tmp_path / "other"
    inside.mkdir()
    outside.write_text("x")
    with pytest.raises(ArtifactError, match="no usable file of the bundle"):
        describe_file(inside, outside)
    with pytest.raises(ArtifactError, match="no usable file"):
        describe_file(inside, inside / "missing")


def test_opening_reads_no_network(own_bundle: Bundle) -> None:
    for entry in own_bundle.manifest.networks:
        (own_bundle.folder / entry.files[0].path).unlink()
    assert open_bundle(own_bundle.folder).manifest.most_people == 2


def test_what_a_bundle_lacks_is_named_with_what_it_has(bundle: Bundle) -> None:
    size = bundle.manifest.sizes[0]
    with pytest.raises(ArtifactError, match=r"no dit for 64x32x2 as tensorrt \(it has onnx\)"):
        bundle.pick("dit", size, Taste(("tensorrt",), ("slice",)))
    other = Size(people=3, width=64, height=32)
    with pytest.raises(ArtifactError, match="no dit for 64x32x3"):
        bundle.pick("dit", other, ONNX)
    with pytest.raises(InputError, match="no size 1x1x1; it has 64x32x2"):
        bundle.size("1x1x1")
    with pytest.raises(InputError, match="takes 2 people, not 3"):
        bundle.sizes_for(3)
    with pytest.raises(InputError, match="no scene 'x'; it has: pair"):
        bundle.scene_entry("x")


def test_an_engine_compiled_elsewhere_is_refused(bundle: Bundle) -> None:
    here = Hardware(compute_capability="9.0", gpu="H100", runtime_version="tensorrt 11.4")
    file = FileEntry(path="dit.engine", sha256="0" * 64, bytes=1)

    def built(**other: str) -> NetworkEntry:
        plain = bundle.pick("dit", bundle.manifest.sizes[0], ONNX)
        return plain.model_copy(
            update={"files": (file,), "hardware": here.model_copy(update=other)}
        )

    check_hardware(built(), here)
    check_hardware(built(compute_capability="0.0", gpu="any"), here)
    with pytest.raises(ArtifactError, match=r"was built for A10 .*8\.6.*; run `parley export"):
        check_hardware(built(compute_capability="8.6", gpu="A10"), here)
    with pytest.raises(ArtifactError, match=r"was built by tensorrt 11\.3, here is tensorrt 11\.4"):
        check_hardware(built(runtime_version="tensorrt 11.3"), here)


def test_a_runtime_gets_the_flavor_it_runs_best(own_bundle: Bundle) -> None:
    size = own_bundle.manifest.sizes[0]
    sliced = own_bundle.pick("dit", size, ONNX)
    inplace = sliced.model_copy(update={"kv": "inplace"})
    manifest = own_bundle.manifest.model_copy(update={"networks": (inplace, sliced)})
    both = Bundle(folder=own_bundle.folder, manifest=manifest)
    assert both.pick("dit", size, Taste(("onnx",), ("slice", "inplace"))) == sliced
    assert both.pick("dit", size, Taste(("onnx",), ("inplace", "slice"))) == inplace
    alone = manifest.model_copy(update={"networks": (inplace,)})
    with pytest.raises(ArtifactError, match="no dit"):
        Bundle(folder=own_bundle.folder, manifest=alone).pick("dit", size, ONNX)


def test_a_wished_precision_is_taken_where_there_is_one(own_bundle: Bundle) -> None:
    size = own_bundle.manifest.sizes[0]
    plain = own_bundle.pick("dit", size, ONNX)
    small = plain.model_copy(update={"precision": "int8"})
    manifest = own_bundle.manifest.model_copy(update={"networks": (plain, small)})
    both = Bundle(folder=own_bundle.folder, manifest=manifest)
    assert both.pick("dit", size, ONNX).precision == "fp32"
    assert both.pick("dit", size, ONNX._replace(precision="int8")) == small
    assert both.pick("dit", size, ONNX._replace(precision="bf16")) == plain
