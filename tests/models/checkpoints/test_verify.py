from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from models.checkpoints import cli
from models.checkpoints.network import Part
from models.checkpoints.presets import Preset
from models.checkpoints.safetensors_file import SafetensorsFile
from models.checkpoints.torch_file import TorchFile
from models.checkpoints.verify import verify
from tests.models import tiny
from tests.models.checkpoints import layouts
from tests.models.checkpoints.layouts import AUDIO_FILE, AUDIO_FOLDER, WAN_FOLDER

TOKENIZER = "google/tokenizer.json"


def tiny_preset() -> Preset:
    """Two networks: MultiTalk, and one in a single file with a companion."""
    part = Part(
        repository="Wan-AI/Wan2.1-I2V-14B-480P",
        folders=(WAN_FOLDER,),
        choices=("small.pth",),
        companions=(TOKENIZER,),
    )
    small = replace(layouts.wan_network(), name="small", parts=(part,))
    networks = (layouts.multitalk_network(), small)
    return Preset(name="tiny", summary="two networks", networks=networks)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    layouts.write_multitalk(tmp_path, tiny.multitalk().state_dict())
    torch.save(layouts.wan_state(), tmp_path / WAN_FOLDER / "small.pth")
    (tmp_path / WAN_FOLDER / "google").mkdir()
    (tmp_path / WAN_FOLDER / TOKENIZER).touch()
    return tmp_path


@pytest.fixture(autouse=True)
def _tiny_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "presets", lambda: {"tiny": tiny_preset()})


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_complete_directory_is_complete_and_its_sizes_are_told(root: Path) -> None:
    report = verify(tiny_preset(), root)
    assert report.is_complete
    files = [*root.rglob("*.safetensors"), *root.rglob("*.pth")]
    assert report.size_bytes == sum(path.stat().st_size for path in files)
    multitalk, small = report.networks
    assert multitalk.parameters == sum(p.numel() for p in tiny.multitalk().parameters())
    assert report.bf16_bytes == 2 * (multitalk.parameters + small.parameters)
    assert len(multitalk.paths) == 4


def test_no_tensor_data_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr(SafetensorsFile, "tensors", refuse)
    monkeypatch.setattr(TorchFile, "tensors", refuse)
    assert verify(tiny_preset(), root).is_complete


def test_the_command_says_ok_and_exits_with_zero(root: Path) -> None:
    code, output = run("verify", root, "--preset", "tiny")
    assert code == 0
    assert "ok    multitalk-14b" in output
    assert "tiny is complete." in output
    assert "bf16" in output


def test_an_empty_or_absent_directory_gets_the_commands_to_begin_with(tmp_path: Path) -> None:
    for directory, said in ((tmp_path, "empty"), (tmp_path / "nowhere", "does not exist")):
        code, output = run("verify", directory, "--preset", "tiny")
        assert code == 1
        assert said in output
        assert f"--local-dir {directory / AUDIO_FOLDER}" in output
        assert "--include 'diffusion_pytorch_model*'" in output
        assert f"small.pth {TOKENIZER}" in output
        assert "FAIL" not in output


def test_what_is_missing_misshapen_and_to_be_downloaded_is_told(root: Path) -> None:
    audio = {n: t for n, t in tiny.multitalk().state_dict().items() if layouts.is_audio(n)}
    del audio["audio_proj.norm.bias"]
    audio["blocks.0.norm_x.bias"] = torch.zeros(3)
    save_file(audio, root / AUDIO_FOLDER / AUDIO_FILE)
    (root / WAN_FOLDER / TOKENIZER).unlink()
    code, output = run("verify", root, "--preset", "tiny")
    assert code == 1
    assert "FAIL  multitalk-14b" in output
    assert "1 tensor missing: audio_proj.norm.bias" in output
    assert "blocks.0.norm_x.bias (expected [32], found [3])" in output
    assert f"not there: {TOKENIZER}" in output
    assert "hf download MeiGen-AI/MeiGen-MultiTalk multitalk.safetensors" in output
    assert "tiny is NOT complete." in output


def test_json_lists_everything(root: Path) -> None:
    audio = {n: t for n, t in tiny.multitalk().state_dict().items() if layouts.is_audio(n)}
    for name in list(audio)[:20]:
        del audio[name]
    save_file(audio, root / AUDIO_FOLDER / AUDIO_FILE)
    code, output = run("verify", root, "--preset", "tiny", "--json")
    report = json.loads(output)
    assert code == 1
    assert not report["is_complete"]
    multitalk, small = report["networks"]
    assert len(multitalk["missing"]) == 20
    assert multitalk["unexpected"] == []
    assert small["is_complete"]
    assert small["files"] == [str(root / WAN_FOLDER / "small.pth")]


def test_an_unreadable_file_is_a_finding_and_not_a_crash(root: Path) -> None:
    (root / AUDIO_FOLDER / AUDIO_FILE).write_text("version https://git-lfs.github.com/spec/v1\n")
    code, output = run("verify", root, "--preset", "tiny")
    assert code == 1
    assert "git lfs pull" in output
    assert "ok    small" in output


def test_absent_shards_do_not_drown_in_missing_tensors(root: Path) -> None:
    gone = next((root / WAN_FOLDER).glob("*.safetensors"))
    gone.unlink()
    multitalk, _ = verify(tiny_preset(), root).networks
    assert multitalk.absent == (gone.name,)
    assert multitalk.comparison.is_equal
    assert multitalk.problems == ()
    assert not multitalk.is_complete


def test_an_unknown_preset_is_answered_with_the_known_ones(root: Path) -> None:
    code, output = run("verify", root, "--preset", "tinny")
    assert code == 2
    assert "tinny" in output
    assert "tiny" in output.replace("tinny", "")


def test_the_presets_are_listed_with_their_sizes() -> None:
    code, output = run("list")
    assert code == 0
    assert "two networks" in output
    (listed,) = json.loads(run("list", "--json")[1])
    parameters = verify(tiny_preset(), Path("nowhere"))
    assert listed["preset"] == "tiny"
    assert listed["networks"] == ["multitalk-14b", "small"]
    assert listed["bf16_bytes"] == parameters.bf16_bytes
