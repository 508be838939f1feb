from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import InputError
from engines.video_file import VideoFile, gains

FRAME = 640


def decoded(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Give frames [T, H, W, 3] and sound [2, n] at 48 kHz on the file's own clock."""
    with av.open(str(path)) as container:
        frames = []
        for number, frame in enumerate(container.decode(video=0)):
            assert frame.time == pytest.approx(number / 25)
            frames.append(frame.to_ndarray(format="rgb24"))
    sound = np.zeros((2, len(frames) * 1920 + 4096), np.float32)
    with av.open(str(path)) as container:
        for block in container.decode(audio=0):
            assert block.time is not None
            first = round(block.time * 48000)
            values = block.to_ndarray()[:, max(-first, 0) :]
            at = max(first, 0)
            sound[:, at : at + values.shape[1]] = values[:, : sound.shape[1] - at]
    return np.stack(frames), sound


def test_sound_and_picture_stay_together(tmp_path: Path) -> None:
    """A flash and a click at frames 10 and 60, written in chunks of four."""
    frames = np.zeros((80, 64, 64, 3), np.uint8)
    voices = np.zeros((1, 80 * FRAME), np.float32)
    for at in (10, 60):
        frames[at] = 255
        voices[0, at * FRAME : (at + 1) * FRAME] = np.sin(np.arange(FRAME) * 0.5)
    path = tmp_path / "film.mp4"
    with VideoFile(path, (64, 64), gains(1, "stereo")) as out:
        for first in range(0, 80, 4):
            out.write(frames[first : first + 4], voices[:, first * FRAME : (first + 4) * FRAME])
        out.finish()
    pictures, sound = decoded(path)
    assert len(pictures) == 80
    for at in (10, 60):
        assert pictures[at].mean() > 200
        assert pictures[at - 1].mean() < 30
        near = np.abs(sound[0, (at - 5) * 1920 : (at + 6) * 1920])
        loud = np.flatnonzero(near > 0.3)
        assert loud[0] / 1920 - 5 == pytest.approx(0, abs=0.25)  # a quarter of a frame: 10 ms
        assert loud[-1] / 1920 - 5 == pytest.approx(1, abs=0.25)


def test_voices_sound_from_where_their_people_are(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    voices = np.zeros((2, 50 * FRAME), np.float32)
    voices[0, : 25 * FRAME] = voices[1, 25 * FRAME :] = 0.3 * np.sin(np.arange(25 * FRAME) * 0.3)
    with VideoFile(path, (64, 64), gains(2, "stereo")) as out:
        out.write(np.zeros((50, 64, 64, 3), np.uint8), voices)
        out.finish()
    _, sound = decoded(path)
    first, second = sound[:, 5000:40000].std(1), sound[:, 53000:90000].std(1)
    assert first[0] > 2 * first[1]
    assert second[1] > 2 * second[0]


def test_gains_keep_the_power_and_mono_has_no_sides() -> None:
    for people in (1, 2, 3, 5):
        stereo = gains(people, "stereo")
        assert stereo.shape == (2, people)
        assert (stereo**2).sum(0) == pytest.approx(np.full(people, 2))
        assert stereo[0] == pytest.approx(stereo[1][::-1], abs=1e-6)
        assert gains(people, "mono") == pytest.approx(np.ones((2, people)))


def test_a_film_that_is_not_finished_leaves_nothing_and_spares_what_was_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")

    def fail_half_way() -> None:
        with VideoFile(path, (64, 64), gains(1, "mono")) as out:
            out.write(np.zeros((4, 64, 64, 3), np.uint8), np.zeros((1, 4 * FRAME), np.float32))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [each.name for each in tmp_path.iterdir()] == ["film.mp4"]
    assert path.read_bytes() == b"older"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*none.film\.mp4: No such"):
        VideoFile(tmp_path / "none" / "film.mp4", (64, 64), gains(1, "mono"))


def test_the_film_says_that_it_was_made_by_ai(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, (64, 64), gains(1, "mono")) as out:
        out.write(np.zeros((4, 64, 64, 3), np.uint8), np.zeros((1, 4 * FRAME), np.float32))
        out.finish()
    with av.open(str(path)) as container:
        assert "AI" in container.metadata["comment"]
