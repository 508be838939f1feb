import numpy as np
import pytest

from models.errors import InputError
from training.studio.people.mesh import Corners, Proxy, parse_faces, parse_obj, vertex_normals
from training.studio.people.wardrobe import Denominators

SQUARE = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0", "vt 0 0", "vt 1 1"]


def test_a_quad_becomes_two_triangles_in_its_group() -> None:
    mesh = parse_obj([*SQUARE, "g body", "f 1/1 2/2 3/2 4/1"])
    corners = mesh.groups["body"]
    assert corners.positions.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert corners.uv.tolist() == [[0, 1, 1], [0, 1, 0]]
    np.testing.assert_allclose(mesh.vertices[2], [0.1, 0.1, 0])  # decimeters to meters


def test_a_face_before_any_group_is_refused() -> None:
    with pytest.raises(InputError, match="group"):
        parse_obj([*SQUARE, "f 1/1 2/2 3/2"])


def test_face_records_with_and_without_extras_are_split() -> None:
    quad_with_material_and_uv = [1 | 2 | 8, 0, 1, 2, 3, 9, 4, 5, 6, 7]
    plain_triangle = [0, 5, 6, 7]
    corners = parse_faces(quad_with_material_and_uv + plain_triangle)
    assert corners.positions.tolist() == [[0, 1, 2], [0, 2, 3], [5, 6, 7]]
    assert corners.uv.tolist() == [[4, 5, 6], [4, 6, 7], [0, 0, 0]]


def test_a_proxy_follows_the_body_and_scales_its_offsets() -> None:
    body = np.zeros((12_000, 3), np.float32)
    body[5399, 0], body[791, 1], body[962, 2] = 0.2, 0.3, 0.4
    body[:3] = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    proxy = Proxy(
        refs=np.array([[0, 1, 2]]),
        weights=np.array([[0.5, 0.25, 0.25]], np.float32),
        offsets=np.array([[0.01, 0.01, 0.01]], np.float32),
        uv=np.zeros((1, 2), np.float32),
        corners=Corners(np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int64)),
        hidden=np.zeros(12_000, np.bool_),
        texture="none.png",
        made_on=Denominators(0.1, 0.3, 0.2),
    )
    np.testing.assert_allclose(proxy.fit(body), [[0.25 + 0.02, 0.25 + 0.01, 0.02]], atol=1e-6)


def test_normals_point_out_of_counterclockwise_triangles() -> None:
    positions = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    normals = vertex_normals(positions, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(normals, [[0, 0, 1]] * 3)
