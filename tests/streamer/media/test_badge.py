from __future__ import annotations

import numpy as np
import pytest

from streamer.media.badge import Badge, BadgeConfig, Corner


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("gray", [0, 128, 255])
def test_the_mark_can_be_read_on_any_ground_and_touches_nothing_else(
    corner: Corner, gray: int
) -> None:
    frames = np.full((2, 256, 448, 3), gray, np.uint8)
    badge = Badge(448, 256, BadgeConfig(corner=corner))
    badge.burn(frames)
    left, top, right, bottom = badge.box
    inside = frames[:, top:bottom, left:right]
    assert int(inside.max()) - int(inside.min()) > 120  # letters against their ground
    frames[:, top:bottom, left:right] = gray
    assert (frames == gray).all()
    assert (left < 224) == corner.endswith("left")
    assert (top < 128) == corner.startswith("top")


def test_it_grows_with_the_picture_and_every_frame_has_it() -> None:
    small, large = Badge(256, 256).box, Badge(1280, 720).box
    assert large[3] - large[1] > 2 * (small[3] - small[1])
    frames = np.zeros((3, 256, 256, 3), np.uint8)
    Badge(256, 256).burn(frames)
    assert (frames[0] == frames[1]).all()
    assert frames[2].any()


def test_a_mark_that_cannot_be_seen_is_refused() -> None:
    with pytest.raises(ValueError, match="characters"):
        BadgeConfig(text=" ")
    with pytest.raises(ValueError, match="opacity"):
        BadgeConfig(opacity=0.1)
    with pytest.raises(ValueError, match="does not fit"):
        Badge(16, 16, BadgeConfig(text="made by a machine"))
    with pytest.raises(ValueError, match="height"):
        BadgeConfig(height=0.9)
