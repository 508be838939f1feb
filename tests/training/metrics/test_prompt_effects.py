"""What prompts change is found in faces that do it, and in nobody else's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from training.metrics import prompt_films
from training.metrics.face_reading import SCHEME_106, FaceReading
from training.metrics.prompt_effects import ACTS, FPS, effect, prompt_of, summary
from training.metrics.prompt_films import bundled_scenes

HEIGHT_PX = 80.0
FRAMES = 3 * FPS
ACT = {act.name: act for act in ACTS}
# A face in pixels around its middle, the viewer's left first.
PLACES: dict[int, tuple[float, float]] = {
    33: (-20, -10), 263: (20, -10), 133: (-8, -10), 362: (8, -10), 468: (-14, -10), 473: (14, -10),
    105: (-16, -20), 334: (16, -20), 66: (-12, -21), 296: (12, -21), 61: (-10, 18), 291: (10, 18),
}  # fmt: skip


def face(
    at: tuple[float, float] = (100, 100), *, smile: float = 0, brows: float = 0, gaze: float = 0
) -> FaceReading:
    landmarks = np.zeros((106, 2), np.float32)
    for mesh, place in PLACES.items():
        x, y = place
        x += np.sign(x) * smile * (mesh in (61, 291)) + gaze * (mesh in (468, 473))
        y -= brows * (mesh in (105, 334, 66, 296))
        landmarks[mesh == SCHEME_106] = (at[0] + x, at[1] + y)
    box = np.array([at[0] - 30, at[1] - 40, at[0] + 30, at[1] + 40], np.float32)
    return FaceReading(landmarks, box, np.array(at, float), HEIGHT_PX, 0.01, 0.05, 0.5, None)


def film(change: str | None = None, person: int = 0) -> list[list[FaceReading | None]]:
    """Give frames of two people, in whom one thing changes; both move a little."""
    frames: list[list[FaceReading | None]] = []
    for frame in range(FRAMES):
        row: list[FaceReading | None] = []
        for number, x in enumerate((100.0, 300.0)):
            wobble = 0.3 * np.sin(frame + number)
            at, does = (x + wobble, 100.0), number == person
            if change == "nod" and does:
                at = (at[0], 100 + 4 * np.sin(2 * np.pi * 1.5 * frame / FPS))
            if change == "turn" and does:
                at = (at[0] + (6 if number == 0 else -6), 100.0)
            row.append(
                face(
                    at,
                    smile=3.0 if change == "smile" and does else 0.1 * wobble,
                    brows=-2.0 if change == "frown" and does else 0.1 * wobble,
                )
            )
        frames.append(row)
    return frames


@pytest.mark.parametrize("person", [0, 1])
@pytest.mark.parametrize(
    ("change", "act", "sign"),
    [
        ("smile", "smiling", +1),
        ("frown", "angry", -1),
        ("nod", "nodding", +1),
        ("turn", "looking at the other", +1),
    ],
)
def test_what_one_person_does_is_found_in_that_person_alone(
    change: str, act: str, sign: int, person: int
) -> None:
    found = effect("two", ACT[act], person, film(), film(change, person))
    assert sign * found.size > 2
    assert ACT[act].sign == sign
    change_px = abs(found.after - found.before) * HEIGHT_PX
    assert change_px > 1
    assert abs(found.others[0]) * HEIGHT_PX < 0.1


def test_nothing_is_found_where_nothing_changes() -> None:
    for act in ACTS:
        found = effect("two", act, 0, film(), film())
        assert (found.after, found.size, found.others) == (found.before, 0, (0,))


def test_a_face_that_is_not_seen_is_no_result() -> None:
    hidden: list[list[FaceReading | None]] = [[row[0], None] for row in film()]
    with pytest.raises(InputError, match="person 2's face is seen in 0 of 75 frames"):
        effect("two", ACT["smiling"], 0, film(), hidden)


def test_the_summary_counts_who_did_as_asked() -> None:
    effects = [
        effect("a", ACT["angry"], 0, film(), film("frown")),
        effect("b", ACT["angry"], 1, film(), film("frown", 0)),
    ]
    (line,) = summary(effects)
    assert (line.act, line.scenes, line.right) == ("angry", 2, 0.5)


def test_prompts_say_who_and_where() -> None:
    assert prompt_of(1, 0, "smiling") == "A person, smiling."
    assert prompt_of(2, 1, "nodding") == (
        "A person on the left, sitting quietly; A person on the right, nodding."
    )
    with pytest.raises(InputError, match="1 to 3 people, not 4"):
        prompt_of(4, 0, "smiling")


def test_scenes_are_those_of_the_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "scenes" / "pair"
    folder.mkdir(parents=True)
    (folder / "scene.json").write_text('{"name": "pair", "size": {"people": 2}}')
    assert bundled_scenes(tmp_path, []) == bundled_scenes(tmp_path, ["pair"]) == [("pair", 2)]
    with pytest.raises(InputError, match="has no scene trio; it has pair"):
        bundled_scenes(tmp_path, ["trio"])


@pytest.mark.studio
def test_a_nod_asked_of_the_shipped_bundle_shows_in_its_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_films, "ACTS", (ACT["nodding"],))
    bundle, told = Path(__file__).parents[3] / "bundles" / "studio", list[str]()
    studio = prompt_films.Studio(bundle, tmp_path, told.append)
    (found,) = studio.measure(bundled_scenes(bundle, ["ben-and-anna"]))
    assert told == ["ben-and-anna-calm.mp4", "ben-and-anna-nodding.mp4"]
    assert (found.scene, found.act, found.seat) == ("ben-and-anna", "nodding", 0)
    assert found.size > 0.5, "a nod is seen"
    assert max(found.others) / found.deviation < found.size, "and most in who was asked"
    assert (tmp_path / "nodding.png").stat().st_size > 10_000


@pytest.mark.studio
def test_looks_asked_of_the_shipped_bundle_go_there_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = (ACT["looking at the camera"], ACT["looking at the other"])
    monkeypatch.setattr(prompt_films, "ACTS", looks)
    monkeypatch.setattr(prompt_films, "_asked", lambda act, turn, people: 0)
    bundle, told = Path(__file__).parents[3] / "bundles" / "studio", list[str]()
    studio = prompt_films.Studio(bundle, tmp_path, told.append)
    away, back = studio.measure(bundled_scenes(bundle, ["colleagues"]))
    assert told[2:] == [
        "colleagues-looking-at-the-other.mp4",
        "colleagues-not-looking-at-the-other.mp4",
    ]
    assert away.after < away.before - 2 * away.deviation, "from the other into the camera"
    assert back.after > back.before, "and from the camera to the other"
    assert back.before < away.before, "compared with somebody who looks into the camera"


def test_nobody_in_the_middle_is_asked_to_look_at_others() -> None:
    look, smile = ACT["looking at the other"], ACT["smiling"]
    assert [prompt_films._asked(look, turn, 3) for turn in range(3)] == [0, 2, 2]
    assert [prompt_films._asked(smile, turn, 3) for turn in range(3)] == [0, 1, 2]
    assert [prompt_films._asked(look, turn, 2) for turn in range(2)] == [0, 1]


@pytest.mark.studio
def test_a_film_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    bundle = Path(__file__).parents[3] / "bundles" / "studio"
    studio = prompt_films.Studio(bundle, tmp_path, print)
    with pytest.raises(InputError, match=r"nobody-calm\.mp4 could not be made: .*nobody"):
        studio.measure([prompt_films.BundledScene("nobody", 1)])
