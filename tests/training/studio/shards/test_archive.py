from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import InputError
from training.studio.shards.archive import Shard, ShardWriter

FILES = {"json": b"{}", "voice0.flac": b"sound", "mp4": b"pictures"}


def written(path: Path) -> Path:
    with ShardWriter(path) as writer:
        writer.add("0000001", FILES)
        writer.add("0000002", {"json": b"[]"})
    return path


def break_off(path: Path) -> None:
    with ShardWriter(path) as writer:
        writer.add("0000001", FILES)
        raise RuntimeError


def test_what_is_written_is_read_back_in_any_order(tmp_path: Path) -> None:
    shard = Shard.open(written(tmp_path / "a.tar"))
    assert list(shard.clips) == ["0000001", "0000002"]
    assert shard.read("0000002", "json") == b"[]"
    assert {name: shard.read("0000001", name) for name in FILES} == FILES


def test_the_same_clips_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.tar"), written(tmp_path / "b.tar")
    assert first.read_bytes() == second.read_bytes()


def test_a_run_that_breaks_off_leaves_no_shard(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with pytest.raises(RuntimeError):
        break_off(path)
    assert not list(tmp_path.iterdir())


def test_a_cut_off_shard_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tar")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match="no complete shard"):
        Shard.open(path)
