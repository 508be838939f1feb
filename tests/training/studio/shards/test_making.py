"""Whole clips, with the real voices and the real renderer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from training.studio.acting.dialogue import Kind
from training.studio.assets import asset_folder
from training.studio.shards.making import ClipMaker
from training.studio.shards.plan import RunPlan
from training.studio.shards.reader import Clips
from training.studio.shards.record import unpack_arrays
from training.studio.shards.running import render_run

pytestmark = pytest.mark.studio
RUN = RunPlan(
    seed=11,
    split="train",
    people=(2,),
    size=(128, 64),
    shortest=1.0,
    longest=1.2,
    clips_per_shard=2,
    samples=1,
)


@pytest.fixture(scope="module")
def maker() -> Iterator[ClipMaker]:
    with ClipMaker(RUN, asset_folder()) as made:
        yield made


@pytest.fixture(scope="module")
def folder(maker: ClipMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards")
    maker.make_shard(0, path, lambda frames: None)
    return path


def test_the_same_clip_has_the_same_bytes(maker: ClipMaker) -> None:
    assert maker.make(5).files == maker.make(5).files


def test_a_sample_holds_pictures_voices_and_labels_of_one_stretch(folder: Path) -> None:
    sample = Clips(folder).sample(np.random.default_rng(0), 20)
    assert sample.video.shape == (20, 64, 128, 3)
    assert sample.voices.shape == (2, 20 * 640)
    assert sample.labels["curves"].shape == (2, 20, 52)
    assert sample.labels["face_box"].shape == (2, 20, 4)
    assert sample.labels["mask"].shape == (20, 16, 32)
    assert set(np.unique(sample.labels["mask"])) <= {0, 1, 2}
    assert sample.prompt
    left, right = sample.labels["face_box"][:, 0, 0]
    assert left < right, "people are listed from left to right"


def test_clips_can_be_of_one_kind_with_everybody_looking_aside() -> None:
    run = replace(RUN, people=(1,), kind=Kind.SINGING, aside_rad=1.0, shortest=2.0, longest=2.0)
    with ClipMaker(run, asset_folder()) as maker:
        clips = [maker.make(index).files for index in range(3)]
    for files in clips:
        described = json.loads(files["json"])
        assert described["kind"] == "singing"
        labels = unpack_arrays(files["npz"])
        turned = described["people"][0]["seat"]["yaw_rad"] + labels["head_rad"][0, :, 0]
        assert np.median(np.abs(turned)) > 0.2
        assert labels["is_speaking"].any()


def test_a_run_resumes_where_it_stopped(folder: Path) -> None:
    frames: list[int] = []
    made = render_run(RUN, folder, asset_folder(), 1, 1, frames.append)
    assert made == 0
    assert frames == []


def test_a_folder_of_another_run_is_refused(folder: Path) -> None:
    render_run(RUN, folder, asset_folder(), 1, 1, lambda frames: None)
    other = RunPlan(**{name: getattr(RUN, name) for name in RUN.__slots__} | {"seed": 12})
    with pytest.raises(InputError, match="differing: seed"):
        render_run(other, folder, asset_folder(), 1, 1, lambda frames: None)


def test_a_run_of_before_there_were_wishes_goes_on(folder: Path) -> None:
    render_run(RUN, folder, asset_folder(), 1, 1, lambda frames: None)
    run_file = folder / "run.json"
    described = json.loads(run_file.read_text())
    for wish in ("aside_rad", "bearded", "kind"):
        del described[wish]
    run_file.write_text(json.dumps(described))
    assert render_run(RUN, folder, asset_folder(), 1, 1, lambda frames: None) == 0
    with pytest.raises(InputError, match="differing: aside_rad"):
        render_run(replace(RUN, aside_rad=0.5), folder, asset_folder(), 1, 1, lambda frames: None)


def test_a_stretch_longer_than_every_clip_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="ask for shorter stretches"):
        Clips(folder).sample(np.random.default_rng(0), 500)
    with pytest.raises(InputError, match="holds no shard"):
        Clips(folder / "nowhere")
