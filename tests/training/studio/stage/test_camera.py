import numpy as np
import pytest

from models.errors import ConfigError
from training.studio.stage.camera import Camera, light_projection, rotation, to_4x4


def camera(pitch_rad: float = 0.0) -> Camera:
    return Camera(width=256, height=128, fov_y_rad=0.5, pitch_rad=pitch_rad)


def test_a_point_straight_ahead_is_in_the_middle() -> None:
    np.testing.assert_allclose(camera().project([0, 0, -2]), [128, 64], atol=1e-3)


def test_right_is_right_and_up_is_up() -> None:
    x, y = camera().project([0.1, 0.1, -2])
    assert x > 128
    assert y < 64


def test_the_edge_of_the_field_of_view_is_the_edge_of_the_picture() -> None:
    edge = 2 * np.tan(0.25)
    np.testing.assert_allclose(camera().project([2 * edge, edge, -2]), [256, 0], atol=1e-2)


def test_a_camera_that_looks_up_sees_the_horizon_lower() -> None:
    assert camera(0.1).project([0, 0, -2])[1] > 64


def test_sizes_must_be_multiples_of_32() -> None:
    with pytest.raises(ConfigError, match="250x256"):
        Camera(width=250, height=256, fov_y_rad=0.5, pitch_rad=0.0)


def test_a_face_turns_nods_and_tips_the_documented_way() -> None:
    ahead, top = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    assert (rotation(0.3, 0, 0) @ ahead)[0] > 0.2  # viewer's right
    assert (rotation(0, 0.3, 0) @ ahead)[1] > 0.2  # up
    assert (rotation(0, 0, 0.3) @ top)[0] < -0.2  # viewer's left


def test_a_pivot_stays_where_it_is() -> None:
    pivot = np.array([0.3, 0.7, -0.2])
    matrix = to_4x4(rotation(0.4, 0.2, 0.1), pivot)
    np.testing.assert_allclose(matrix @ [*pivot, 1], [*pivot, 1])


def test_the_shadow_map_covers_its_volume_and_nearer_the_light_is_less_deep() -> None:
    direction = np.array([0, 0.6, 0.8], np.float32)
    center = np.array([0, 0, -1], np.float32)
    matrix = light_projection(direction, center, 0.5)
    for corner in np.array([[0.4, 0, 0], [-0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.4]]):
        assert np.abs(matrix @ [*(center + corner), 1]).max() <= 1.0
    near, far = (matrix @ [*(center + s * 0.2 * direction), 1] for s in (1, -1))
    assert near[2] < far[2]
