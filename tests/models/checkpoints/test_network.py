from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.checkpoints.errors import (
    DuplicateTensorsError,
    UnreadableFilesError,
    WeightFileError,
)
from models.checkpoints.network import Part, find_files, read_headers
from models.checkpoints.presets import SHARDS
from tests.models import tiny
from tests.models.checkpoints import layouts
from tests.models.checkpoints.layouts import AUDIO_FILE, AUDIO_FOLDER, WAN_FOLDER


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return dict(tiny.multitalk(seed=3).state_dict())


@pytest.fixture
def root(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    layouts.write_multitalk(tmp_path, state)
    return tmp_path


def names_found(directory: Path) -> set[str]:
    network = layouts.multitalk_network()
    files = find_files(network, directory)
    assert [each.absent for each in files] == [(), ()]
    paths = [path.resolve() for each in files for path in each.paths]
    assert len(paths) == len(set(paths))
    return set(read_headers(network, files).header)


def test_downloads_are_found_where_the_commands_put_them(
    root: Path, state: dict[str, Tensor]
) -> None:
    assert names_found(root) == state.keys()


@pytest.mark.parametrize("way", ["copied", "linked"])
def test_upstreams_merged_folder_is_found(root: Path, state: dict[str, Tensor], way: str) -> None:
    for name in (SHARDS, AUDIO_FILE):
        target = root / WAN_FOLDER / name
        target.unlink(missing_ok=True)
        if way == "linked":
            target.symlink_to(root / AUDIO_FOLDER / name)
        else:
            shutil.copy(root / AUDIO_FOLDER / name, target)
    assert names_found(root) == state.keys()
    assert names_found(root / WAN_FOLDER) == state.keys()


def test_the_audio_file_counts_wherever_its_index_is(root: Path, state: dict[str, Tensor]) -> None:
    shutil.copy(root / AUDIO_FOLDER / SHARDS, root / WAN_FOLDER / SHARDS)
    assert names_found(root) == state.keys()
    (root / AUDIO_FOLDER / AUDIO_FILE).rename(root / WAN_FOLDER / AUDIO_FILE)
    assert names_found(root) == state.keys()


def test_the_audio_file_wins_over_old_audio_tensors_in_the_base(
    root: Path, state: dict[str, Tensor]
) -> None:
    name = "audio_proj.norm.weight"
    save_file({name: torch.full_like(state[name], 9)}, root / WAN_FOLDER / "old.safetensors")
    base = [n for n in state if not layouts.is_audio(n)]
    weight_map = layouts.shard(root / WAN_FOLDER, {n: state[n] for n in base})
    layouts.write_index(root / WAN_FOLDER, weight_map | {name: "old.safetensors"})
    network = layouts.multitalk_network()
    checkpoint = read_headers(network, find_files(network, root))
    assert checkpoint.places[name].file.path.name == AUDIO_FILE
    assert not torch.equal(dict(checkpoint.tensors({name}))[name], torch.full_like(state[name], 9))


def test_a_base_tensor_in_two_files_is_an_error_that_names_both(
    root: Path, state: dict[str, Tensor]
) -> None:
    audio = root / AUDIO_FOLDER / AUDIO_FILE
    twice = ["head.head.bias", "patch_embedding.bias"]
    kept = {name: tensor for name, tensor in state.items() if layouts.is_audio(name)}
    save_file(kept | {name: state[name] for name in twice}, audio)
    network = layouts.multitalk_network()
    with pytest.raises(DuplicateTensorsError, match=r"head\.head\.bias") as raised:
        read_headers(network, find_files(network, root))
    assert sorted(raised.value.duplicates) == twice
    for first, second in raised.value.duplicates.values():
        assert first.parent.name == WAN_FOLDER
        assert second == audio


def test_shards_that_the_index_names_and_nobody_downloaded_are_listed(root: Path) -> None:
    absent = sorted((root / WAN_FOLDER).glob("*-00003.safetensors"))[:2]
    for path in absent:
        path.unlink()
    base, audio = find_files(layouts.multitalk_network(), root)
    assert base.absent == tuple(path.name for path in absent)
    assert len(base.paths) == 1
    assert audio.absent == ()


def test_an_empty_folder_lacks_the_first_choice_of_every_part(tmp_path: Path) -> None:
    found = find_files(layouts.multitalk_network(), tmp_path)
    assert [each.absent for each in found] == [(SHARDS,), (AUDIO_FILE,)]


def test_an_index_of_another_download_is_an_error(root: Path) -> None:
    folder = root / WAN_FOLDER
    shards = sorted(path.name for path in folder.glob("*.safetensors"))
    layouts.write_index(folder, {"head.head.bias": shards[0], "head.head.weight": shards[1]})
    network = layouts.multitalk_network()
    with pytest.raises(WeightFileError, match="different downloads") as raised:
        read_headers(network, find_files(network, root))
    assert raised.value.path == folder / SHARDS


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"metadata": {}}', '{"weight_map": {"a": "../b"}}', '{"weight_map": {"a": 1}}'],
)
def test_an_unusable_index_is_an_error(root: Path, content: str) -> None:
    (root / WAN_FOLDER / SHARDS).write_text(content)
    with pytest.raises(WeightFileError, match="index"):
        find_files(layouts.multitalk_network(), root)


def test_an_index_that_is_a_git_lfs_pointer_is_said_to_be_one(root: Path) -> None:
    (root / WAN_FOLDER / SHARDS).write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WeightFileError, match="git-lfs pointer"):
        find_files(layouts.multitalk_network(), root)


def test_every_unreadable_file_is_listed(root: Path) -> None:
    pointers = sorted((root / WAN_FOLDER).glob("*.safetensors"))[:2]
    for path in pointers:
        path.write_text("version https://git-lfs.github.com/spec/v1\nsize 1\n")
    network = layouts.multitalk_network()
    with pytest.raises(UnreadableFilesError) as raised:
        read_headers(network, find_files(network, root))
    assert [error.path for error in raised.value.errors] == pointers
    assert all(str(path) in str(raised.value) for path in pointers)


def test_a_network_of_one_file_can_be_given_as_that_file(tmp_path: Path) -> None:
    path = tmp_path / "renamed.safetensors"
    save_file(layouts.wan_state(), path)
    (files,) = find_files(layouts.wan_network(), path)
    assert files.paths == (path,)


def test_where_any_file_will_do_two_are_one_too_many(tmp_path: Path) -> None:
    part = Part(repository=None, folders=("nowhere",), choices=())
    network = replace(layouts.wan_network(), parts=(part,))
    assert find_files(network, tmp_path)[0].absent
    save_file(layouts.wan_state(), tmp_path / "a.safetensors")
    (tmp_path / "notes.txt").touch()
    assert find_files(network, tmp_path)[0].paths == (tmp_path / "a.safetensors",)
    (tmp_path / "b.pth").touch()
    with pytest.raises(WeightFileError, match=r"a\.safetensors, b\.pth"):
        find_files(network, tmp_path)


def test_companions_that_are_not_there_are_listed(tmp_path: Path) -> None:
    part = replace(layouts.wan_network().parts[0], companions=("tokenizer/a.json", "b.json"))
    network = replace(layouts.wan_network(), parts=(part,))
    (tmp_path / "where").mkdir()
    (tmp_path / "where" / "b.json").touch()
    assert find_files(network, tmp_path)[0].absent_companions == ("tokenizer/a.json",)
