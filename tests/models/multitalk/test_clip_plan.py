from __future__ import annotations

import pytest
import torch

from models.errors import ConfigError, InputError
from models.multitalk.clip_plan import (
    ClipLayout,
    clip_windows,
    given_mask,
    multitalk_clips,
    plan_clips,
)


def frame_numbers(frames: int) -> torch.Tensor:
    """A voice whose feature is its own frame number."""
    return torch.arange(frames).reshape(-1, 1, 1)


def test_clips_overlap_by_the_motion_frames_and_reach_past_the_audio() -> None:
    plan = plan_clips([500], multitalk_clips(), 1000)
    assert [clip.start for clip in plan.clips] == list(range(0, 449, 56))
    assert plan.clips[-1].stop == 529
    assert plan.mirrored == (32,)
    assert plan.video_frames == 497


def test_the_first_voice_decides_the_length_and_shorter_ones_are_mirrored_further() -> None:
    plan = plan_clips([200, 150, 300], multitalk_clips(), 1000)
    assert plan.clips[-1].stop == 249
    assert plan.mirrored == (52, 102, 0)
    assert plan.video_frames == 197


def test_a_longer_second_voice_never_empties_the_video() -> None:
    plan = plan_clips([1200, 90], multitalk_clips(), 200)
    assert plan.mirrored[0] == 0
    assert plan.video_frames == 200


def test_a_video_no_longer_than_a_clip_is_one_clip() -> None:
    plan = plan_clips([200], multitalk_clips(), 81)
    assert len(plan.clips) == 1
    assert plan.video_frames == 81


def test_the_last_clip_hears_its_voice_mirrored() -> None:
    plan = plan_clips([100], multitalk_clips(), 1000)
    (windows,) = clip_windows([frame_numbers(100)], plan, 1)
    centers = windows[:, 2].flatten().tolist()
    assert centers == [*range(56, 100), *range(99, 62, -1)]


def test_windows_look_beyond_their_clip_but_not_beyond_the_recording() -> None:
    voice = frame_numbers(200)
    plan = plan_clips([200], multitalk_clips(), 1000)
    first, second = (clip_windows([voice], plan, index)[0].flatten(1) for index in (0, 1))
    assert first[0].tolist() == [0, 0, 0, 1, 2]
    assert first[-1].tolist() == [78, 79, 80, 81, 82]
    assert second[0].tolist() == [54, 55, 56, 57, 58]


def test_a_voice_that_ended_early_keeps_its_last_feature_until_the_last_clip() -> None:
    voices = [frame_numbers(300), frame_numbers(90)]
    plan = plan_clips([300, 90], multitalk_clips(), 1000)
    quiet = clip_windows(voices, plan, 1)[1].flatten(1)
    assert quiet[-1].tolist() == [89] * 5


def test_given_frames_fill_their_latent_frames() -> None:
    layout = ClipLayout(frames=17, motion_frames=5)
    assert given_mask(1, layout, (2, 3)).shape == (4, 5, 2, 3)
    assert given_mask(1, layout, (1, 1))[:, :, 0, 0].tolist() == [[1, 0, 0, 0, 0]] * 4
    assert given_mask(5, layout, (1, 1))[:, :, 0, 0].tolist() == [[1, 1, 0, 0, 0]] * 4
    in_part = given_mask(3, layout, (1, 1))[:, :, 0, 0].tolist()
    assert in_part == [[1, 1, 0, 0, 0]] * 2 + [[1, 0, 0, 0, 0]] * 2


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"frames=80 is not 1 \+ 4n"):
        ClipLayout(frames=80, motion_frames=25)
    with pytest.raises(ConfigError, match="leave nothing to make"):
        ClipLayout(frames=25, motion_frames=25)
    with pytest.raises(InputError, match="voice 1 covers 81 video frames, more than one clip"):
        plan_clips([100, 81], multitalk_clips(), 1000)
    with pytest.raises(InputError, match="at least one voice"):
        plan_clips([], multitalk_clips(), 1000)
    with pytest.raises(InputError, match="max_frames=0"):
        plan_clips([100], multitalk_clips(), 0)
