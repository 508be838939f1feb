from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from training.metrics.judge_models import FOLDER, ModelFile, is_complete, model_path
from training.studio.assets import AssetError


def test_a_network_is_given_when_its_hash_is_right(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a.tflite").write_bytes(b"network")
    model = ModelFile("a.tflite", sha256(b"network").hexdigest())
    assert model_path(model, tmp_path).read_bytes() == b"network"


def test_another_file_under_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a.tflite").write_bytes(b"other")
    with pytest.raises(AssetError, match="expected sha256"):
        model_path(ModelFile("a.tflite", sha256(b"network").hexdigest()), tmp_path)


def test_a_missing_network_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"python -m training\.metrics\.judge_models"):
        model_path(ModelFile("a.tflite", ""), tmp_path)
    assert not is_complete(tmp_path)
