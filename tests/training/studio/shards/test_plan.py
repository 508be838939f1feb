from __future__ import annotations

from dataclasses import replace

import pytest

from models.errors import ConfigError
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
    ],
)
def test_impossible_runs_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(RUN, **changed)  # type: ignore[arg-type]  # wrong values are the point
