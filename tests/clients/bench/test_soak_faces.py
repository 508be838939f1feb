"""A time lapse of a soak, what the judges say of it, and whether people become others."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from clients.bench.load_server import Scene
from clients.bench.soak_faces import TimeLapse, distances, with_identity
from clients.bench.soak_samples import Sample, trends
from clients.bench.soak_viewer import Picture
from tests.clients.bench.test_soak_parts import run_of
from tests.training.metrics.talking_picture import face

SMALL = Scene(id="small", people=2, width=64, height=32)
REPORT = {
    "people": [
        {"identity": {"times_s": [0.0, 1.0, 2.0], "distances": [0.2, 0.25, 0.3]}},
        {"identity": {"times_s": [0.0, 2.0], "distances": [0.1, 0.15]}},
    ]
}


def gray(level: int, height: int = 32, width: int = 64) -> Picture:
    return np.full((height, width, 3), level, np.uint8)


def test_a_time_lapse_has_a_picture_of_each_look(tmp_path: Path) -> None:
    with TimeLapse(tmp_path, 3, SMALL) as film:
        film.add(0, gray(40))
        film.add(4, gray(200, height=64, width=128))  # of a viewer that was sent another size
    assert film.looks == [0, 4]
    with av.open(tmp_path / "room3.mp4") as file:
        frames = list(file.decode(video=0))
        assert file.streams.video[0].average_rate == 1
    assert [(frame.width, frame.height) for frame in frames] == [(64, 32), (64, 32)]
    levels = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    assert levels == pytest.approx([40, 200], abs=4)


def test_of_a_viewer_that_saw_nothing_nothing_is_told(tmp_path: Path) -> None:
    with TimeLapse(tmp_path, 0, SMALL) as film:
        pass
    assert film.judged() == {}


def test_only_looks_that_found_everybody_count() -> None:
    assert distances(REPORT, [5, 6, 9]) == {5: (0.2, 0.1), 9: (0.3, 0.15)}
    lost = {"people": [*REPORT["people"], {"identity": None}]}
    assert distances(lost, [5, 6, 9]) == {}
    assert distances({"people": []}, []) == {}


def flat(count: int) -> list[Sample]:
    return run_of([200.0] * count, [50.0] * count)


def test_looks_are_told_with_everybody_of_all_rooms() -> None:
    told = with_identity(flat(4), [{0: (0.2, 0.3), 2: (0.25, 0.3)}, {2: (0.1,), 3: (0.1,)}])
    assert [each.identity for each in told] == [None, None, (0.25, 0.3, 0.1), None]
    assert [each.identity for each in with_identity(flat(2), [])] == [None, None]


@pytest.mark.parametrize(("rise", "grows"), [(0.0, set()), (0.002, {"identity"})])
def test_who_becomes_another_is_named(rise: float, grows: set[str]) -> None:
    looks = [
        replace(each, identity=(0.3 + rise * n, 0.25 + (0.01 if n % 2 else -0.01)))
        for n, each in enumerate(flat(90))
    ]
    assert {each.bound.name for each in trends(looks) if each.grows} == grows
    assert "identity" in {each.bound.name for each in trends(looks)}


@pytest.mark.studio
def test_the_judges_tell_a_face_from_its_distortion(tmp_path: Path) -> None:
    scene = Scene(id="face", people=1, width=256, height=256)
    wide = Image.fromarray(face()).resize((380, 256)).crop((62, 0, 318, 256))
    kept = BytesIO()
    Image.fromarray(face()).save(kept, "JPEG", quality=95)
    with TimeLapse(tmp_path, 0, scene) as film:
        film.compare_with(kept.getvalue())
        for look in range(6):
            film.add(look, face() if look < 3 else np.asarray(wide, np.uint8))
    apart = film.judged()
    assert sorted(apart) == [0, 1, 2, 3, 4, 5]
    near, far = [apart[n][0] for n in range(3)], [apart[n][0] for n in range(3, 6)]
    assert max(near) < 0.15
    assert min(far) > max(near) + 0.05
