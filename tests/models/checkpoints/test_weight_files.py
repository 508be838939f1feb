from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.checkpoints.errors import WeightFileError
from models.checkpoints.opening import open_weights
from models.checkpoints.weight_file import BATCH_BYTES, WeightFile, batches


@pytest.fixture
def state() -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(3, 5, generator=rng),
        "b": torch.randn(7, generator=rng).to(torch.bfloat16),
        "c": torch.randn(2, 2, 2, generator=rng).to(torch.float16),
        "step": torch.tensor(3),
    }


def write(path: Path, state: dict[str, Tensor], kind: str) -> None:
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "torch")


def read(file: WeightFile) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in file.tensors(file.header)}


@pytest.mark.parametrize("kind", ["safetensors", "torch", "legacy torch"])
def test_a_file_gives_back_what_was_written_whatever_its_name(
    tmp_path: Path, state: dict[str, Tensor], kind: str
) -> None:
    path = tmp_path / "weights"
    write(path, state, kind)
    file = open_weights(path)
    got = read(file)
    assert got.keys() == state.keys()
    for name, tensor in state.items():
        assert file.header[name].shape == tuple(tensor.shape)
        assert file.header[name].dtype == tensor.dtype
        torch.testing.assert_close(got[name], tensor, rtol=0, atol=0)


def test_only_the_named_tensors_are_read(tmp_path: Path, state: dict[str, Tensor]) -> None:
    write(tmp_path / "weights", state, "safetensors")
    names = [name for name, _ in open_weights(tmp_path / "weights").tensors({"b", "c"})]
    assert sorted(names) == ["b", "c"]


def test_data_is_read_in_batches_of_bounded_size(tmp_path: Path) -> None:
    quarter = torch.zeros(BATCH_BYTES // 16)
    save_file({f"w{i}": quarter.clone() for i in range(9)}, tmp_path / "weights")
    header = open_weights(tmp_path / "weights").header
    assert [len(batch) for batch in batches(header, header)] == [4, 4, 1]


@pytest.mark.parametrize("containers", [("model",), ("ema", "model")])
def test_tensors_are_found_in_a_container(
    tmp_path: Path, state: dict[str, Tensor], containers: tuple[str, ...]
) -> None:
    torch.save({"model": OrderedDict(state), "optimizer": {"lr": 1.0}}, tmp_path / "weights.pth")
    assert read(open_weights(tmp_path / "weights.pth", containers)).keys() == state.keys()


def test_the_first_container_wins(tmp_path: Path) -> None:
    both = {"generator": {"w": torch.zeros(1)}, "generator_ema": {"w": torch.ones(1)}}
    torch.save(both, tmp_path / "weights.pt")
    file = open_weights(tmp_path / "weights.pt", ("generator_ema", "generator"))
    assert read(file)["w"] == 1


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(1)], {"w": torch.zeros(1), "n": 1}])
def test_a_torch_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(WeightFileError, match="expected"):
        open_weights(tmp_path / "weights.pth", ("model",))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never be printed",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_that_would_run_code_is_refused_and_named(
    tmp_path: Path, is_zip: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"w": torch.zeros(1), "x": Bomb()}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(WeightFileError, match="print") as raised:
        open_weights(path)
    assert "run anything" in str(raised.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["safetensors", "torch", "legacy torch"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_refused(
    tmp_path: Path, state: dict[str, Tensor], kind: str, kept: float
) -> None:
    path = tmp_path / "weights.pth"
    write(path, {**state, "long": torch.ones(500)}, kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(WeightFileError, match="download it again"):
        open_weights(path)


def test_wherever_an_old_file_ends_it_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.pth"
    write(path, state, "legacy torch")
    data = path.read_bytes()
    for length in range(1, 400):
        path.write_bytes(data[:length])
        with pytest.raises(WeightFileError):
            open_weights(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"", "is empty"),
        (bytes(100), "is empty"),
        (b"<!DOCTYPE html><html>Not found</html>", "web page"),
        (b"Entry not found", "neither a safetensors nor a torch file"),
        (struct.pack("<Q", 9) + b"{not json" + bytes(9), "corrupt"),
        (pickle.dumps("text"), "rename it to .pth"),
    ],
)
def test_what_is_no_file_of_weights_is_said_to_be_what_it_is(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightFileError, match=said):
        open_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("content", [pickle.dumps("text", protocol=2), b"PK\x03\x04" + bytes(60)])
def test_a_torch_file_of_rubbish_is_corrupt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightFileError, match="corrupt"):
        open_weights(tmp_path / "weights.pth")


def test_a_type_that_cannot_be_computed_in_is_named(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(1))
    with pytest.raises(WeightFileError, match="F4"):
        open_weights(path)


def test_a_file_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(WeightFileError, match="cannot be read"):
        open_weights(tmp_path / "nothing.safetensors")
