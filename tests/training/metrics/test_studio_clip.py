"""Clips of the studio go to the judges as they are: with their voices and true mouths."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.errors import InputError
from training.metrics.known_curves import read_known_mouth
from training.metrics.quality_cli import app
from training.metrics.studio_clip import unpack_clip
from training.studio.assets import asset_folder
from training.studio.shards.archive import ShardWriter
from training.studio.shards.making import ClipMaker, shard_path
from training.studio.shards.plan import RunPlan
from training.studio.shards.record import pack_arrays


def made_up_shard(folder: Path) -> Path:
    path = folder / "shard-00000.tar"
    with ShardWriter(path) as writer:
        for number in range(2):
            gaps = np.array([[-1.0, 2.0, 4.0], [1.0, 1.0, 1.0 + number]], np.float32)
            curves = np.zeros((2, 3, 52), np.float16)
            curves[1, 2, 7] = 0.5  # the second person's right lid
            people = [{"phones": [[0.0, 0.1, "M"]]}, {"phones": []}]
            files = {
                "mp4": b"pictures%d" % number,
                "json": json.dumps({"fps": 25, "people": people}).encode(),
                "npz": pack_arrays({"lip_gap_mm": gaps, "curves": curves}),
                "voice0.flac": b"left",
                "voice1.flac": b"right",
            }
            writer.add(f"{number:07d}", files)
    return path


def test_a_clip_is_unpacked_with_the_voice_and_the_visible_gap_of_each_person(
    tmp_path: Path,
) -> None:
    clip = unpack_clip(made_up_shard(tmp_path), "0000001", tmp_path)
    assert clip.video.read_bytes() == b"pictures1"
    assert [clip.audio[seat].read_bytes() for seat in (0, 1)] == [b"left", b"right"]
    left, right = (read_known_mouth(clip.curves[seat], 3, 25.0) for seat in (0, 1))
    np.testing.assert_array_equal(left.opening, [0, 2, 4])
    np.testing.assert_array_equal(right.opening, [1, 1, 2])
    assert [(phone.symbol, phone.end) for phone in left.phones] == [("M", 0.1)]
    assert right.phones == ()
    np.testing.assert_array_equal(clip.lids, [[0, 0, 0], [0, 0, 0.5]])


def test_the_first_clip_is_taken_and_an_unknown_one_refused(tmp_path: Path) -> None:
    shard = made_up_shard(tmp_path)
    assert unpack_clip(shard, None, tmp_path).video.read_bytes() == b"pictures0"
    with pytest.raises(InputError, match="no clip 0000009; it has 0000000, 0000001"):
        unpack_clip(shard, "0000009", tmp_path)


@pytest.mark.studio
def test_a_true_render_scores_near_perfect(tmp_path: Path) -> None:
    run = RunPlan(
        seed=3,
        split="train",
        people=(1,),
        size=(256, 256),
        shortest=3.0,
        longest=3.0,
        clips_per_shard=1,
        samples=1,
    )
    with ClipMaker(run, asset_folder()) as maker:
        maker.make_shard(0, tmp_path, lambda frames: None)
    done = CliRunner().invoke(app, [str(shard_path(tmp_path, 0)), "--json", "-"])
    assert done.exit_code == 0, done.output
    (person,) = json.loads(done.stdout)["people"]
    assert person["detected"] == 1
    assert person["sync"]["r"] > 0.9
    assert abs(person["sync"]["lag_frames"]) <= 1
    assert person["sync_source"] == "curves"
