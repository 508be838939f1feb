from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engines.manifest import CellRule, squares_around
from models.errors import ConfigError
from training.stages.cells import (
    DETECTED_DROP,
    DETECTED_SHARE,
    CellConfig,
    cell_of,
    cells_of,
    mirrored,
    square_around,
)
from training.stages.clip_pool import eye_centers, face_widths, mouth_centers
from training.stages.dolls import doll_clip
from training.studio.performance_data import ARKIT
from training.studio.shards.reader import Sample

EXACT = CellConfig(side_px=64, reach=1.2, jitter=0.0, mirrored_share=0.0)


def doll(seed: int = 0, size: int = 96) -> Sample:
    return doll_clip(np.random.default_rng(seed), 8, size)


def with_dot(sample: Sample) -> Sample:
    """Paint a green dot on the mouth of every frame."""
    video = sample.video.copy()
    for frame, (x, y) in zip(video, mouth_centers(sample)[0], strict=True):
        frame[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = (0, 255, 0)
    return sample._replace(video=video)


def dots(sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Find the dot's middle [T, 2]."""
    found = []
    for frame in sample.video.astype(int):
        rows, columns = np.nonzero((frame[..., 1] > 200) & (frame[..., 0] < 60))
        found.append((columns.mean(), rows.mean()))
    return np.array(found)


def test_squares_are_those_of_the_engines() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        left, top = rng.uniform(0, 150), rng.uniform(0, 60)
        box = np.array([left, top, left + rng.uniform(20, 90), top + rng.uniform(20, 90)])
        ours = square_around(box, 1.6, (256, 160), np.zeros(3))
        rule = CellRule(side=160, reach=1.6, feather=0.1)
        (theirs,) = squares_around([tuple(box)], 256, 160, rule)
        assert np.allclose(ours[:2], theirs[:2], atol=1)
        assert ours.right - ours.left == pytest.approx(theirs.side, abs=1)


@pytest.mark.parametrize("seed", range(4))
def test_labels_stay_on_what_they_name(seed: int) -> None:
    config = dataclasses.replace(EXACT, jitter=0.1, mirrored_share=0.5)
    sample = with_dot(doll(seed))
    cut = cell_of(sample, 0, config, np.random.default_rng(seed))
    assert cut.video.shape == (8, 64, 64, 3)
    assert np.allclose(dots(cut), mouth_centers(cut)[0], atol=1.0)


def test_an_exact_cell_has_the_face_in_its_middle_at_one_size() -> None:
    widths = []
    for size in (96, 128):
        cut = cell_of(doll(3, size), 0, EXACT)
        boxes = cut.labels["face_box"][0].astype(np.float64)
        left, top, right, bottom = np.median(boxes, axis=0)
        assert (left + right) / 2 == pytest.approx(32, abs=1.5)
        height = bottom - top
        assert (top + bottom) / 2 + DETECTED_DROP * height == pytest.approx(32, abs=1.5)
        longer = max(right - left, DETECTED_SHARE * height)
        assert longer * EXACT.reach == pytest.approx(64, abs=1.5)
        widths.append(face_widths(cut)[0])
    assert widths[0] == pytest.approx(widths[1], rel=0.06), "whatever the picture's size"


def test_a_mirrored_clip_is_a_mirror_image_with_its_labels() -> None:
    sample = doll()
    sample.labels["head_rad"] = sample.labels["head_rad"] + np.array([0.1, 0.2, 0.3], np.float32)
    sample.labels["curves"][..., ARKIT.index("eyeBlinkLeft")] = 0.5
    other = mirrored(sample)
    assert (other.video == sample.video[:, :, ::-1]).all()
    assert np.allclose(mouth_centers(other)[..., 0], 95 - mouth_centers(sample)[..., 0])
    assert np.allclose(eye_centers(other).mean(2)[..., 0], 95 - eye_centers(sample).mean(2)[..., 0])
    assert other.labels["curves"][0, 0, ARKIT.index("eyeBlinkRight")] == 0.5
    assert other.labels["curves"][0, 0, ARKIT.index("eyeBlinkLeft")] == 0
    assert np.allclose(other.labels["head_rad"][0, 0], [-0.1, 0.2, -0.3])
    again = mirrored(other)
    assert all(np.allclose(again.labels[name], sample.labels[name]) for name in sample.labels)


def test_a_clip_whose_words_name_a_side_is_never_mirrored() -> None:
    config = dataclasses.replace(EXACT, mirrored_share=1.0)
    said = doll()._replace(prompt="A doll, looking to the left.")
    rng = np.random.default_rng(0)
    assert (cell_of(said, 0, config, rng).video == cell_of(said, 0, EXACT).video).all()
    flipped = cell_of(doll(), 0, config, rng)
    assert not (flipped.video == cell_of(doll(), 0, EXACT).video).all()


def test_everybody_has_a_cell_of_their_own() -> None:
    one, two = doll(1), doll(2)
    both = one._replace(
        video=np.concatenate([one.video, two.video], axis=2),
        voices=np.concatenate([one.voices, two.voices]),
        labels={name: np.concatenate([one.labels[name], two.labels[name]]) for name in one.labels},
    )
    both.labels["landmarks"][1, ..., 0] += 96
    both.labels["face_box"][1, :, [0, 2]] += 96
    config = dataclasses.replace(EXACT, reach=1.0)
    left, right = cells_of(both, config)
    assert (left.video == cell_of(one, 0, config).video).all()
    assert (right.video == cell_of(two, 0, config).video).all()
    assert (right.voices == two.voices).all()


@pytest.mark.parametrize("change", [{"side_px": 0}, {"reach": 0.9}, {"jitter": 0.5}])
def test_numbers_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be at least 1"):
        dataclasses.replace(EXACT, **change)  # type: ignore[arg-type]  # each names a real field
