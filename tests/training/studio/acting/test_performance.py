from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.studio.made_up import SEATS, made_up_catalogue
from training.studio.acting.attention import CAMERA, floor_holders, gaze, plan_looks
from training.studio.acting.blinks import blink_curve
from training.studio.acting.dialogue import Dialogue, Kind, Role, write_dialogue
from training.studio.acting.expressions import EXPRESSIONS, REST
from training.studio.acting.listening import LIFT, SMILE
from training.studio.acting.performance import make_dialogue, perform
from training.studio.acting.visemes import lip_opening
from training.studio.performance_data import ARKIT, FPS, Act, Floats, Performance

SECONDS = 8.0
FRAMES = round(SECONDS * FPS)


def staged(seed: int, people: int = 2, kind: Kind | None = None) -> Dialogue:
    rng = np.random.default_rng(seed)
    return write_dialogue([Role()] * people, SECONDS, rng, made_up_catalogue(), kind)


def performed(seed: int, people: int = 2, kind: Kind | None = None) -> list[Performance]:
    dialogue = staged(seed, people, kind)
    return perform(dialogue, SEATS[:people], np.random.default_rng(seed + 100))


def acted(act: Act) -> Performance:
    dialogue = staged(0, 1, Kind.SILENCE)
    return perform(dialogue, SEATS[:1], np.random.default_rng(0), [[act]])[0]


def test_the_same_seed_gives_the_same_bytes() -> None:
    runs = [
        make_dialogue(
            [Role()] * 2, SECONDS, np.random.default_rng(5), made_up_catalogue(), SEATS[:2]
        )
        for _ in range(2)
    ]
    for a, b in zip(*runs, strict=True):
        for field in ("curves", "head_rad", "gaze_target", "breath", "lean_m", "samples"):
            assert getattr(a, field).tobytes() == getattr(b, field).tobytes()
        assert a.acts == b.acts


@pytest.mark.parametrize("people", [1, 2, 3, 4])
def test_there_is_a_performance_of_the_clips_length_for_each_person(people: int) -> None:
    out = performed(1, people)
    assert len(out) == people
    assert all(person.frames == FRAMES for person in out)
    assert all(np.isfinite(person.head_rad).all() for person in out)


def test_listeners_keep_the_mouth_shut_and_speakers_do_not() -> None:
    for seed in range(10):
        for person in performed(seed, 3):
            opening = lip_opening(person.curves)
            near = np.convolve(person.is_speaking, np.ones(9), "same") > 0
            assert opening[~near].max(initial=0) < 0.02
            if person.is_speaking.sum() > FPS:
                assert opening[person.is_speaking].max() > 0.15


@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.SOUNDS])
def test_sounds_that_are_no_speech_do_not_move_the_mouth(kind: Kind) -> None:
    for seed in range(6):
        for person in performed(seed, 2, kind):
            assert lip_opening(person.curves).max() == 0
            assert not person.is_speaking.any()


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_an_expression_shows_while_it_is_acted_and_not_after(name: str) -> None:
    person = acted(Act(start_frame=0, end_frame=100, name=name, strength=1.0))
    shown = person.curves @ EXPRESSIONS[name]
    assert shown[20:80].mean() > shown[130:].mean() + 0.3


@pytest.mark.parametrize("shape", [REST, SMILE, LIFT, *EXPRESSIONS.values()])
def test_no_expression_parts_the_lips(shape: Floats) -> None:
    parting = ("jawOpen", "mouthLowerDown", "mouthUpperUp", "mouthFunnel", "tongueOut")
    assert not any(shape[i] for i, name in enumerate(ARKIT) if name.startswith(parting))


def test_strength_says_how_much() -> None:
    smile = ARKIT.index("mouthSmileLeft")
    weak, strong = (
        acted(Act(start_frame=0, end_frame=FRAMES, name="smiling", strength=s)).curves[:, smile]
        for s in (0.3, 1.0)
    )
    assert strong.mean() > 1.8 * weak.mean()


@pytest.mark.parametrize(("name", "axis"), [("nodding", 1), ("shaking_head", 0)])
def test_gestures_swing_the_head_about_their_own_axis(name: str, axis: int) -> None:
    person = acted(Act(start_frame=50, end_frame=120, name=name, strength=1.0))
    speed = np.abs(np.diff(person.head_rad, axis=0))
    assert speed[60:110, axis].mean() > 3 * speed[140:, axis].mean()


def test_tilting_rolls_the_head() -> None:
    head = acted(Act(start_frame=60, end_frame=150, name="tilting_head", strength=1.0)).head_rad
    assert abs(head[90:130, 2].mean() - head[:40, 2].mean()) > 0.1


def test_looking_at_the_camera_points_the_gaze_at_the_origin() -> None:
    act = Act(start_frame=50, end_frame=150, name="looking_at_camera", strength=1.0)
    person = perform(
        staged(2, 2, Kind.MONOLOGUE), SEATS[:2], np.random.default_rng(0), [[act], []]
    )[0]
    assert np.linalg.norm(person.gaze_target[55:145], axis=1).max() < 0.15


def test_people_turn_to_a_listener_outside_the_picture() -> None:
    act = Act(start_frame=0, end_frame=200, name="looking_at_camera", strength=1.0)
    listener = (-1.5, 0.0, 0.4)
    person = perform(
        staged(2, 1, Kind.MONOLOGUE), SEATS[1:2], np.random.default_rng(0), [[act]], listener
    )[0]
    assert np.linalg.norm(person.gaze_target[5:145] - listener, axis=1).max() < 0.15
    assert person.head_rad[60:145, 0].mean() < -0.3


def test_listeners_look_at_the_speaker_most_of_the_time() -> None:
    speaking = np.zeros((2, 2000), np.bool_)
    speaking[0] = True
    rng = np.random.default_rng(1)
    looks = plan_looks(1, speaking, (), rng)
    points = gaze(looks, SEATS[:2], 1, 2000, rng).centers
    is_at_speaker = np.abs(points - np.asarray(SEATS[0].eyes_m)).max(1) < 1e-6
    assert 0.65 < is_at_speaker.mean() < 0.95


def test_the_floor_goes_to_whoever_began_last() -> None:
    speaking = np.array([[0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0]], np.bool_)
    assert floor_holders(speaking).tolist() == [-1, 0, 0, 1, 1, 1]


def test_the_head_follows_the_eyes_late() -> None:
    acts = [
        Act(start_frame=0, end_frame=100, name="looking_at_camera", strength=1.0),
        Act(start_frame=100, end_frame=200, name="looking_at_other", strength=1.0),
    ]
    speaking = np.zeros((2, 200), np.bool_)
    rng = np.random.default_rng(0)
    looks = [look for look in plan_looks(0, speaking, acts, rng) if look.start_frame >= 100]
    assert looks[0] == (100, 1)
    assert CAMERA == -1
    out = np.mean(
        [
            perform(staged(0, 2, Kind.SILENCE), SEATS[:2], np.random.default_rng(s), [acts, []])[
                0
            ].head_rad[:, 0]
            for s in range(12)
        ],
        axis=0,
    )
    assert out[160:].mean() - out[60:100].mean() > 0.15  # to the viewer's right
    assert out[102] - out[99] < 0.5 * (out[125] - out[99])


def test_people_blink_at_the_published_rates() -> None:
    rng = np.random.default_rng(0)
    minutes = 60
    frames = minutes * 60 * FPS
    for is_talking, rate in ((False, 17), (True, 26)):
        curve = blink_curve(np.full(frames, is_talking), (), rng)
        blinks = np.sum((curve[1:] >= 0.4) & (curve[:-1] < 0.4)) / minutes
        assert blinks == pytest.approx(rate * 1.08, rel=0.1)  # doubles included


def test_blinks_gather_where_speech_ends() -> None:
    rng = np.random.default_rng(0)
    is_speaking = np.tile(np.repeat([True, False], 50), 400)
    curve = blink_curve(is_speaking, (), rng)
    onsets = np.flatnonzero((curve[1:] >= 0.4) & (curve[:-1] < 0.4)) + 1
    phase = np.bincount(onsets % 100, minlength=100)
    assert phase[48:54].max() > 3 * np.median(phase)


def test_breath_and_lean_stay_within_what_a_body_does() -> None:
    for seed in range(5):
        for person in performed(seed, 2):
            assert 0 <= person.breath.min() <= person.breath.max() <= 1
            assert np.abs(person.lean_m).max() < 0.08


def test_another_number_of_seats_is_refused() -> None:
    with pytest.raises(InputError, match="3 seats"):
        perform(staged(0, 2), SEATS[:3], np.random.default_rng(0))
