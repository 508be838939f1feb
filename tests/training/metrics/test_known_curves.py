from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import InputError
from training.metrics.known_curves import opening_of_curves, read_known_mouth
from training.studio.performance_data import ARKIT, Phone


def curves(**values: float) -> NDArray[np.float64]:
    row = np.zeros((1, len(ARKIT)))
    for name, value in values.items():
        row[0, ARKIT.index(name)] = value
    return row


def test_an_open_jaw_opens_the_mouth_and_closed_lips_close_it_again() -> None:
    assert opening_of_curves(curves(jawOpen=0.5))[0] == pytest.approx(0.5)
    assert opening_of_curves(curves(jawOpen=0.3, mouthClose=0.3))[0] == 0


def test_npz_and_json_say_the_same(tmp_path: Path) -> None:
    opening = np.linspace(0, 1, 50)
    np.savez(tmp_path / "a.npz", opening=opening, fps=25, phones=np.array([["0.1", "0.2", "P"]]))
    (tmp_path / "a.json").write_text(
        json.dumps({"opening": opening.tolist(), "fps": 25, "phones": [[0.1, 0.2, "P"]]})
    )
    for name in ("a.npz", "a.json"):
        found = read_known_mouth(tmp_path / name, 50, 25.0)
        np.testing.assert_allclose(found.opening, opening)
        assert found.phones == (Phone(start=0.1, end=0.2, symbol="P"),)


def test_curves_are_resampled_to_the_video_and_unknown_after_their_end(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", opening=np.arange(25.0))
    found = read_known_mouth(tmp_path / "a.npz", 100, 50.0).opening
    np.testing.assert_allclose(found[:48], np.arange(48) / 2)
    assert np.isnan(found[60:]).all()


def test_a_file_with_neither_opening_nor_curves_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="neither `opening`"):
        read_known_mouth(tmp_path / "a.npz", 10, 25.0)


@pytest.mark.parametrize("name", ["a.npz", "a.json"])
def test_a_broken_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{")
    with pytest.raises(InputError, match=name):
        read_known_mouth(tmp_path / name, 10, 25.0)


def test_curves_of_another_rig_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(4, 51\)"):
        opening_of_curves(np.zeros((4, 51)))
