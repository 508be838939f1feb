import numpy as np
import pytest

from models.errors import ConfigError
from training.studio.stage.backdrops import paint_backdrop
from training.studio.stage.scene import BACKDROPS, Backdrop, Scene, sample_scene


def test_a_seed_always_gives_the_same_scene() -> None:
    assert sample_scene(4, people=2) == sample_scene(4, people=2)
    assert sample_scene(4, people=2) != sample_scene(5, people=2)


@pytest.mark.parametrize("people", [1, 2, 3, 4])
def test_everyones_eyes_are_in_the_picture_from_left_to_right(people: int) -> None:
    for seed in range(40):
        scene = sample_scene(seed, people=people)
        at = scene.camera.project([seat.eyes_m for seat in scene.seats])
        assert (np.diff(at[:, 0]) > 60).all()
        assert (at > [30, 40]).all()
        assert (at < [scene.camera.width - 30, 170]).all()


def test_neighbors_turn_to_each_other() -> None:
    left, right = sample_scene(3, people=2).seats
    assert left.yaw_rad > right.yaw_rad


def test_a_narrow_picture_still_holds_both() -> None:
    scene = sample_scene(1, people=2, size=(256, 256))
    x = scene.camera.project([seat.eyes_m for seat in scene.seats])[:, 0]
    assert 20 < x[0] < x[1] < 236


def test_five_people_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 people"):
        sample_scene(0, people=5, size=(640, 256))


def test_each_person_needs_a_seat() -> None:
    scene = sample_scene(0, people=2)
    with pytest.raises(ConfigError, match="1 seats"):
        Scene(
            people=scene.people,
            seats=scene.seats[:1],
            camera=scene.camera,
            framing=scene.framing,
            light=scene.light,
            backdrop=scene.backdrop,
        )


@pytest.mark.parametrize("kind", BACKDROPS)
def test_backdrops_fill_the_picture_and_repeat_by_seed(kind: str) -> None:
    backdrop = Backdrop(kind=kind, seed=3)  # type: ignore[arg-type]  # a parametrized literal
    first = paint_backdrop(backdrop, 96, 64)
    assert first.shape == (64, 96, 3)
    assert (first == paint_backdrop(backdrop, 96, 64)).all()
    assert 5 < first.mean() < 250
