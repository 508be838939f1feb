"""The conformance runner itself, and our own goldens through it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conformance.__main__ import main
from tests.conformance.case import compare

GOLDENS = Path(__file__).parent.parent / "goldens"
CASES = sorted(GOLDENS.glob("*.json"))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """One golden case in a folder of its own."""
    for file in (*GOLDENS.glob("multitalk_2p.*"), GOLDENS / "multitalk.weights.safetensors"):
        shutil.copy(file, tmp_path)
    return tmp_path / "multitalk_2p.json"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_our_code_still_gives_its_goldens(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(case)]) == 0, capsys.readouterr().out


def test_there_are_goldens_of_every_network() -> None:
    models = {json.loads(case.read_text())["config"].get("model") for case in CASES}
    assert models >= {
        "multitalk_dit",
        "anytalker_dit",
        "self_forcing_causal_dit",
        "wan_vae",
        "wav2vec2",
        "umt5_encoder",
        "clip_visual",
    }
    assert sum(file.stat().st_size for file in GOLDENS.iterdir()) < 2_000_000


def test_a_changed_output_fails(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _change(copied, 1e-3)
    assert main([str(copied)]) == 1
    # The change and the network's own rounding: 1e-3 give or take a few millionths.
    told = re.search(r"FAIL  multitalk_2p: velocity  max abs diff (\S+)", capsys.readouterr().out)
    assert told is not None
    assert float(told[1]) == pytest.approx(1e-3, rel=0.02)


def test_a_changed_output_within_tolerance_passes(copied: Path) -> None:
    _change(copied, 1e-6)
    assert main([str(copied)]) == 0


def test_every_case_runs_even_when_one_is_broken(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["absent.json", str(copied)]) == 1
    printed = capsys.readouterr().out
    assert "FAIL  absent: CaseError: cannot read absent.json" in printed
    assert "ok    multitalk_2p: velocity" in printed
    assert "1 of 2 cases passed" in printed


def test_a_case_of_an_unknown_kind_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = tmp_path / "unknown.json"
    unknown.write_text('{"config": {"model": "other"}}')
    assert main([str(unknown)]) == 1
    assert "understood by 0 groups" in capsys.readouterr().out


def test_an_output_nobody_computes_fails(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = copied.with_name("multitalk_2p.outputs.safetensors")
    save_file(load_file(outputs) | {"other": torch.zeros(2)}, outputs)
    assert main([str(copied)]) == 1
    assert "other" in capsys.readouterr().out


def test_no_case_at_all_is_a_usage_error() -> None:
    assert main([]) == 2


def test_nan_and_another_shape_never_pass() -> None:
    nan = compare("x", torch.tensor([torch.nan]), torch.tensor([0.0]), atol=1, rtol=1)
    longer = compare("x", torch.zeros(2), torch.zeros(1), atol=1, rtol=1)
    assert not nan.is_ok
    assert not longer.is_ok
    assert longer.note == "shape (2,), expected (1,)"


def _change(case: Path, amount: float) -> None:
    outputs = case.with_name("multitalk_2p.outputs.safetensors")
    tensors = load_file(outputs)
    tensors["velocity"][0, 0, 0, 0] += amount
    save_file(tensors, outputs)
