"""The real networks on a real face; needs the fetched networks (marker studio)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from tests.training.metrics.talking_picture import Picture, face, talking, write_video
from tests.training.metrics.talking_tracks import syllables, turns
from training.metrics.face_detector import FaceDetector, overlap
from training.metrics.face_mesh import FaceMesh
from training.metrics.face_reading import LOWER_LIP, UPPER_LIP
from training.metrics.face_watch import FaceWatcher, Watch
from training.metrics.identity import distances
from training.metrics.judge_models import FOLDER, REAL_VIDEO, model_path
from training.metrics.observation import Observer
from training.metrics.quality_cli import app
from training.metrics.speech_activity import SpeechDetector, speaking_windows
from training.metrics.tracks import build_tracks
from training.studio.assets import asset_folder

pytestmark = pytest.mark.studio

FRAMES = 100
GAP_PX = 14.0


def picture(pixels: Picture) -> Image.Image:
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def gaps() -> NDArray[np.float64]:
    """How far two people open their mouths [T, 2], in turns of 2 s."""
    opening = syllables(FRAMES, turns(FRAMES, 2, turn_frames=50))
    in_px: NDArray[np.float64] = opening / opening.max() * GAP_PX
    return in_px


@pytest.fixture(scope="module")
def video(
    tmp_path_factory: pytest.TempPathFactory,
    gaps: NDArray[np.float64],
) -> Path:
    return write_video(tmp_path_factory.mktemp("clip") / "two.mp4", talking(gaps))


def run(*words: object) -> dict[str, object]:
    done = CliRunner().invoke(app, [*map(str, words), "--json", "-"])
    assert done.exit_code == 0, done.output
    report: dict[str, object] = json.loads(done.stdout)
    return report


def test_a_face_is_found_where_it_is_in_a_large_picture() -> None:
    canvas = Image.new("RGB", (1280, 720), (90, 120, 90))
    canvas.paste(picture(face()), (700, 300))
    found = FaceDetector().find(canvas)
    assert len(found) == 1
    assert overlap(found[0].box, np.array([[773.0, 364, 886, 478]]))[0] > 0.6


def test_an_empty_picture_has_no_face() -> None:
    assert FaceDetector().find(Image.new("RGB", (320, 240), (128, 128, 128))) == []


def test_points_lie_on_the_lips_also_of_a_turned_face() -> None:
    upright = picture(face())
    mesh, detector = FaceMesh(), FaceDetector()
    straight = mesh.find(upright, detector.find(upright)[0].crop)
    np.testing.assert_allclose(straight.points[UPPER_LIP], [127, 143], atol=4)
    np.testing.assert_allclose(straight.points[LOWER_LIP], [127, 150], atol=4)
    tilted = upright.rotate(20, Image.Resampling.BILINEAR)
    turned = mesh.find(tilted, detector.find(tilted)[0].crop)
    cos, sin = np.cos(np.radians(20)), np.sin(np.radians(20))
    back = (turned.points - 128) @ np.array([[cos, sin], [-sin, cos]]) + 128
    assert np.median(np.linalg.norm(back - straight.points, axis=1)) < 2.5


def test_one_person_is_close_to_herself_and_far_from_a_distorted_face() -> None:
    observer = Observer()
    looks = []
    for pixels in (face(), face()[:, ::-1], (face() * 0.7).astype(np.uint8)):
        (found,) = observer.faces_of(picture(pixels))
        assert found.look is not None
        looks.append(found.look.descriptor)
    wide = picture(face()).resize((330, 256)).crop((37, 0, 293, 256))
    (other,) = observer.faces_of(wide)
    assert other.look is not None
    near = distances(np.stack(looks[1:]), looks[0])
    assert near.max() < 0.3
    assert distances(other.look.descriptor[None], looks[0])[0] > near.max()


def test_a_lost_face_is_found_again() -> None:
    both = talking(np.zeros((1, 2)))[0]
    half = both.copy()
    half[:, :256] = 60  # the left person is gone
    watcher, watch = FaceWatcher(), Watch()
    counts = []
    for pixels in [both] * 4 + [half] * 8 + [both] * 4:
        faces, watch = watcher.see(picture(pixels), watch)
        counts.append(len(faces))
    assert counts == [2] * 4 + [1] * 8 + [2] * 4


def test_mouths_are_read_as_they_were_made(video: Path, gaps: NDArray[np.float64]) -> None:
    seen = Observer().watch(video)
    found = build_tracks(seen.frames, 2, 25.0, (512, 256))
    assert found.is_seen.mean() > 0.99
    for seat in range(2):
        assert np.corrcoef(found.mouth_opening[:, seat], gaps[:, seat])[0, 1] > 0.9


def test_the_command_finds_sync_lag_and_identity(
    video: Path, gaps: NDArray[np.float64], tmp_path: Path
) -> None:
    late = np.roll(gaps, 3, axis=0)
    np.savez(tmp_path / "left.npz", opening=gaps[:, 0])
    np.savez(tmp_path / "right.npz", opening=late[:, 1])
    picture(talking(np.zeros((1, 2)))[0]).save(tmp_path / "people.png")
    found = run(
        video,
        "--curves",
        f"0={tmp_path / 'left.npz'}",
        "--curves",
        f"1={tmp_path / 'right.npz'}",
        "--reference",
        tmp_path / "people.png",
        "--truth",
        video,
        "--pictures",
        tmp_path / "drawn",
    )
    people = found["people"]
    assert isinstance(people, list)
    assert [person["sync"]["lag_frames"] for person in people] == [0, 3]
    assert min(person["sync"]["r"] for person in people) > 0.9
    assert max(person["identity"]["worst"] for person in people) < 0.4
    fidelity = found["fidelity"]
    assert isinstance(fidelity, dict)
    assert fidelity["picture"]["ssim"] == 1
    names = {"mouths.png", "timeline.png", "drift.png"}
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == names


def test_a_still_picture_is_still(tmp_path: Path) -> None:
    still = write_video(tmp_path / "still.mp4", talking(np.zeros((60, 1))))
    found = run(still)
    people = found["people"]
    assert isinstance(people, list)
    assert people[0]["mouth_motion"]["silence"] < 2
    assert people[0]["jitter"] < 0.1
    flicker = found["flicker"]
    assert isinstance(flicker, float)
    assert flicker < 0.2


def test_a_real_video_of_a_man_who_talks_scores_plausibly() -> None:
    if not (asset_folder() / FOLDER / REAL_VIDEO.name).is_file():
        pytest.skip("fetch it with `python -m training.metrics.judge_models`")
    found = run(model_path(REAL_VIDEO))
    people = found["people"]
    assert isinstance(people, list)
    (man,) = people
    assert man["detected"] > 0.99
    assert 10 < man["mouth_motion"]["silence"] < 80  # no sound: all of it counts as silence
    assert man["identity"]["mean"] < 0.45
    assert 0.1 < man["jitter"] < 1.5


def test_a_video_without_faces_is_refused_with_a_sentence(tmp_path: Path) -> None:
    gray = write_video(tmp_path / "gray.mp4", [np.full((128, 128, 3), 128, np.uint8)] * 5)
    done = CliRunner().invoke(app, [str(gray)])
    assert done.exit_code == 2
    assert "no face" in done.output


def test_a_voice_for_a_person_who_is_not_there_is_refused(tmp_path: Path) -> None:
    alone = write_video(tmp_path / "alone.mp4", talking(np.zeros((5, 1))))
    done = CliRunner().invoke(app, [str(alone), "--audio", f"1={alone}"])
    assert done.exit_code == 2
    assert "seat 1 was named" in done.output


@pytest.mark.parametrize("level", [0.0, 0.05])
def test_silence_and_noise_are_no_speech(level: float) -> None:
    noise = np.random.default_rng(0).normal(0, level, 5 * 16_000).astype(np.float32)
    probabilities = SpeechDetector().probabilities(noise)
    assert len(probabilities) == 157
    assert speaking_windows(probabilities).mean() < 0.05
