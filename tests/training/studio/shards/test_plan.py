from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.errors import ConfigError
from training.studio.acting.dialogue import Kind
from training.studio.performance_data import FPS
from training.studio.shards.plan import RunPlan, plan_clip

RUN = RunPlan(
    seed=7,
    split="train",
    people=(1, 2, 3),
    size=None,
    shortest=4.0,
    longest=8.0,
    clips_per_shard=16,
    samples=2,
)


def test_a_clip_follows_from_the_seed_and_its_index_alone() -> None:
    assert plan_clip(RUN, 3) == plan_clip(RUN, 3)
    assert plan_clip(RUN, 3) != plan_clip(RUN, 4)
    assert plan_clip(RUN, 3) != plan_clip(replace(RUN, seed=8), 3)


def test_clips_vary_in_people_and_length_within_what_was_asked() -> None:
    clips = [plan_clip(RUN, index) for index in range(60)]
    assert {len(clip.scene.people) for clip in clips} == {1, 2, 3}
    assert all(4 * FPS <= clip.frames <= 8 * FPS for clip in clips)
    assert len({clip.frames for clip in clips}) > 20


def test_nobody_is_in_both_splits() -> None:
    seeds = [
        {person.seed for index in range(50) for person in plan_clip(run, index).scene.people}
        for run in (RUN, replace(RUN, split="test"))
    ]
    assert not seeds[0] & seeds[1]
    assert {seed % 2 for seed in seeds[0]} == {0}
    assert {seed % 2 for seed in seeds[1]} == {1}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_as_many_have_beards_as_are_asked_for(share: float) -> None:
    run = replace(RUN, bearded=share)
    people = [person for index in range(60) for person in plan_clip(run, index).scene.people]
    bearded = np.mean([person.beard != "none" for person in people])
    assert bearded == pytest.approx(share, abs=0.0 if share in (0, 1) else 0.15)
    assert {person.seed % 2 for person in people} == {0}, "of the split that was asked for"


def test_people_asked_to_look_aside_are_turned_to_a_listener_there() -> None:
    run = replace(RUN, people=(1,), aside_rad=0.9)
    plain, turned = (
        [plan_clip(each, index).scene for index in range(40)]
        for each in (replace(run, aside_rad=0.0), run)
    )
    angles = []
    for before, after in zip(plain, turned, strict=True):
        assert before.listener_m == (0.0, 0.0, 0.0)
        assert (before.people, before.camera) == (after.people, after.camera)
        away = np.asarray(after.listener_m) - np.asarray(after.seats[0].eyes_m)
        angles.append(float(np.arctan2(away[0], away[2])))
        shift = after.seats[0].yaw_rad - before.seats[0].yaw_rad
        assert shift == pytest.approx(angles[-1] / 2, abs=1e-6)
    assert np.abs(angles).min() >= 0.3 - 1e-6
    assert np.abs(angles).max() <= 0.9 + 1e-6
    assert min(angles) < 0 < max(angles)


def test_hours_are_reached() -> None:
    shards = RUN.shards_for(2.0)
    assert shards * RUN.clips_per_shard * RUN.mean_seconds >= 7200
    assert RUN.shards_for(0.001) == 1


def test_streams_of_randomness_are_apart() -> None:
    draws = {RUN.generator(0, purpose).random() for purpose in ("plan", "dialogue", "prompt")}
    assert len(draws) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"people": ()}, "give numbers from 1 to 4"),
        ({"people": (5,)}, "give numbers from 1 to 4"),
        ({"size": (250, 256)}, "multiples of 32"),
        ({"shortest": 9.0}, "clips of 9.0 to 8.0 s"),
        ({"samples": 4}, "samples=4"),
        ({"aside_rad": 2.0}, "no mouth is seen"),
        ({"kind": Kind.CONVERSATION}, "a person alone has monologue, singing"),
        ({"bearded": 1.5}, "bearded=1.5 is a share"),
    ],
)
def test_impossible_runs_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(RUN, **changed)  # type: ignore[arg-type]  # wrong values are the point
