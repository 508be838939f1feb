import numpy as np

from training.studio.people.gaze import (
    DOWN_LIMIT,
    YAW_LIMIT,
    EyeAngles,
    direction,
    eye_angles,
    with_look,
)
from training.studio.performance_data import ARKIT
from training.studio.stage.camera import rotation

AHEAD = np.eye(3)


def test_an_eye_points_at_its_target() -> None:
    eye, target = np.array([0.03, 0.1, -1.0]), np.array([0.2, 0.0, 0.0])
    wanted = (target - eye) / np.linalg.norm(target - eye)
    np.testing.assert_allclose(direction(eye_angles(eye, target, AHEAD)), wanted, atol=1e-6)


def test_a_turned_head_needs_less_of_the_eye() -> None:
    eye, target = np.zeros(3), np.array([1.0, 0.0, 2.0])
    turned = rotation(np.arctan2(1.0, 2.0), 0, 0)
    assert abs(eye_angles(eye, target, turned).yaw) < 1e-6


def test_eyes_stop_at_their_limits() -> None:
    angles = eye_angles(np.zeros(3), np.array([5.0, -9.0, 0.1]), AHEAD)
    assert angles == EyeAngles(YAW_LIMIT, -DOWN_LIMIT)


def test_near_targets_make_eyes_converge() -> None:
    left, right = (eye_angles([x, 0, 0], [0, 0, 0.3], AHEAD) for x in (0.03, -0.03))
    assert left.yaw < 0 < right.yaw


def test_look_curves_say_where_the_eyes_point_and_leave_the_rest() -> None:
    curves = np.full(len(ARKIT), 0.25, np.float32)
    looking = with_look(curves, EyeAngles(0.3, 0.2), EyeAngles(0.3, 0.2))
    value = dict(zip(ARKIT, looking.tolist(), strict=True))
    assert value["eyeLookOutLeft"] == value["eyeLookInRight"] == np.float32(0.5)
    assert value["eyeLookInLeft"] == value["eyeLookDownLeft"] == 0.0
    assert value["eyeLookUpLeft"] > 0.3
    assert value["jawOpen"] == 0.25
    assert (curves == 0.25).all()
