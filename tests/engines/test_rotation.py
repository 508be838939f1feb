from __future__ import annotations

import numpy as np
import pytest

from engines.manifest import Rotation
from engines.rotation import shift_table, sink_tables, stream_tables, turn

RULE = Rotation(
    theta=10000.0, time_channels=24, height_channels=20, width_channels=20, is_sink_timeless=True
)


def test_angles_are_position_over_theta_to_the_channel() -> None:
    cos, sin = stream_tables(RULE, [5, 6], 2, 3)
    assert cos.shape == sin.shape == (2 * 2 * 3, 32)
    assert cos.dtype == np.float32
    token = 1 * 6 + 1 * 3 + 2  # frame 6, row 1, column 2
    angles = [6 * 10000 ** (-2 * i / 24) for i in range(12)]
    angles += [1 * 10000 ** (-2 * i / 20) for i in range(10)]
    angles += [2 * 10000 ** (-2 * i / 20) for i in range(10)]
    assert cos[token] == pytest.approx(np.cos(angles), abs=1e-7)
    assert sin[token] == pytest.approx(np.sin(angles), abs=1e-7)


def test_a_day_of_stream_loses_no_precision() -> None:
    """Differences of positions are what attention sees: the same after 540000 latent frames."""
    far = 540_000
    for shift in (0, far):
        a, b = (stream_tables(RULE, [p + shift], 1, 1) for p in (1, 4))
        turned = a.cos * b.cos + a.sin * b.sin
        wanted = np.cos([3 * 10000 ** (-2 * i / 24) for i in range(12)])
        assert turned[0, :12] == pytest.approx(wanted, abs=1e-6)


def test_turning_a_rotated_key_moves_it_in_time() -> None:
    keys = np.random.default_rng(0).standard_normal((6, 64), np.float32)
    near, far = (turn(keys, stream_tables(RULE, [frame], 2, 3)) for frame in (7, 1000))
    assert turn(far, shift_table(RULE, 7 - 1000)) == pytest.approx(near, abs=1e-5)


def test_a_timeless_sink_has_places_but_no_time() -> None:
    cos, sin = sink_tables(RULE, 2, 2, 3)
    assert not cos[:, :12].any()
    assert not sin[:, :12].any()
    plain = stream_tables(RULE, [0, 0], 2, 3)
    assert (cos[:, 12:] == plain.cos[:, 12:]).all()
    assert (sin[:, 12:] == plain.sin[:, 12:]).all()


def test_a_sink_with_time_stands_at_frame_0() -> None:
    rule = RULE.model_copy(update={"is_sink_timeless": False, "most_positions": 1024})
    assert (sink_tables(rule, 1, 2, 3).cos == stream_tables(rule, [0], 2, 3).cos).all()
