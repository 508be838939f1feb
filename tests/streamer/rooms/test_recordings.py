from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.errors import NotFound, SessionLimit, SettingsError
from streamer.media.types import Frame, Samples
from streamer.rooms.recording import FragmentedMp4
from streamer.rooms.recordings import Recordings

SIZE = (96, 64)
ROOM = "A" * 22
ROOT = Path(__file__).parents[3]


def flash(index: int) -> tuple[Frame, Samples]:
    """Make a white picture and a loud tone every second, else neither."""
    is_on = index % 25 == 0
    picture = np.full((SIZE[1], SIZE[0], 3), 235 if is_on else 16, np.uint8)
    tone = np.sin(2 * np.pi * 1000 * np.arange(1920) / 48000) * (0.8 if is_on else 0)
    return picture, np.asarray(tone, np.float32)


def seconds(path: Path) -> tuple[float, float]:
    """Decode all of it; give when the last picture and the last sound begin."""
    with av.open(str(path)) as file:
        pictures = [float(frame.time or 0) for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        sounds = [float(frame.time or 0) for frame in file.decode(audio=0)]
    return pictures[-1], sounds[-1]


def test_a_recording_is_whole_and_in_step(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 1 << 30)
    recorder = recordings.begin(ROOM, SIZE)
    for index in range(100):
        recorder.write(*flash(index))
    (listed,) = recordings.list()
    assert (listed.room, listed.is_complete) == (ROOM, False)
    recorder.finish()
    assert recordings.info(ROOM).is_complete
    path = recordings.path(ROOM)
    with av.open(str(path)) as file:
        assert file.metadata["comment"] == "Made by AI (Parley)"
        lights = [f.time for f in file.decode(video=0) if f.to_ndarray(format="gray").mean() > 128]
    with av.open(str(path)) as file:
        blocks = [(f.time or 0.0, f.rate, f.to_ndarray()[0]) for f in file.decode(audio=0)]
    starts = np.concatenate([time + np.arange(len(data)) / rate for time, rate, data in blocks])
    loud = starts[np.abs(np.concatenate([data for *_, data in blocks])) > 0.2]
    beeps = [loud[0], *loud[1:][np.diff(loud) > 0.5]]
    assert lights == pytest.approx([0, 1, 2, 3])
    assert beeps == pytest.approx(lights, abs=0.04)


def test_a_held_picture_stays_and_costs_little(tmp_path: Path) -> None:
    recorder = FragmentedMp4(tmp_path / "held.mp4", SIZE)
    picture, sound = flash(0)
    recorder.write(None, sound)  # before there is anything to see
    recorder.write(picture, sound)
    for _ in range(98):
        recorder.write(None, sound)
    recorder.finish()
    with av.open(str(tmp_path / "held.mp4")) as file:
        times = [frame.time for frame in file.decode(video=0)]
    assert times == pytest.approx([0.04, 1.04, 2.04, 3.04])
    assert seconds(tmp_path / "held.mp4")[1] > 3.9


CRASH = """
import os, signal, sys
from pathlib import Path
from streamer.rooms.recordings import Recordings
from tests.streamer.rooms.test_recordings import ROOM, SIZE, flash
recorder = Recordings(Path(sys.argv[1]), 1 << 30).begin(ROOM, SIZE)
for index in range(int(sys.argv[2])):
    recorder.write(*flash(index))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("frames", [131, 149])
def test_a_killed_server_loses_two_seconds_at_most(tmp_path: Path, frames: int) -> None:
    command = [sys.executable, "-c", CRASH, str(tmp_path), str(frames)]
    ended = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ})
    assert ended.returncode == -signal.SIGKILL
    recordings = Recordings(tmp_path, 1 << 30)
    assert not recordings.info(ROOM).is_complete
    picture, sound = seconds(recordings.path(ROOM))
    assert picture >= frames / 25 - 2
    assert sound >= frames / 25 - 2


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "", ".", "A" * 21, "A" * 21 + "/", "A" * 21 + ".", "A" * 22 + "\n"]
)
def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    recordings = Recordings(tmp_path / "inner", 1 << 30)
    (tmp_path / "secret.mp4").write_bytes(b"x")
    for attempt in (recordings.path, recordings.info, recordings.delete):
        with pytest.raises(NotFound):
            attempt(name)


def test_a_link_is_no_recording(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "inner", 1 << 30)
    target = tmp_path / "secret"
    target.write_bytes(b"x")
    (recordings.folder / f"{ROOM}.mp4").symlink_to(target)
    assert recordings.list() == ()
    with pytest.raises(NotFound):
        recordings.path(ROOM)


def test_other_files_are_not_listed_and_what_is_deleted_is_gone(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 1 << 30)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / f"{ROOM}.mp4").write_bytes(b"abc")
    (tmp_path / f".{ROOM}.signed.mp4").write_bytes(b"abc")
    assert [(each.room, each.size_bytes) for each in recordings.list()] == [(ROOM, 3)]
    recordings.delete(ROOM)
    assert recordings.list() == ()


def test_a_full_folder_begins_nothing(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 10)
    (tmp_path / f"{ROOM}.mp4").write_bytes(b"0123456789")
    with pytest.raises(SessionLimit, match="10 bytes of recordings is the limit"):
        recordings.begin("B" * 22, SIZE)


def test_a_folder_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot make the folder"):
        Recordings(tmp_path / "file" / "folder", 10)


def test_a_signature_that_fails_leaves_the_recording_as_it_was(tmp_path: Path) -> None:
    class Broken:
        def sign(self, source: Path, target: Path) -> None:
            target.write_bytes(b"half")
            raise OSError("no key")

    recordings = Recordings(tmp_path, 1 << 30, Broken())
    recorder = recordings.begin(ROOM, SIZE)
    recorder.write(*flash(0))
    with pytest.raises(OSError, match="no key"):
        recorder.finish()
    (listed,) = recordings.list()
    assert not listed.is_complete
    assert [path.name for path in tmp_path.iterdir()] == [f"{ROOM}.partial.mp4"]


def test_pictures_have_the_times_of_their_frames(tmp_path: Path) -> None:
    recorder = FragmentedMp4(tmp_path / "a.mp4", SIZE)
    for index in range(30):
        recorder.write(*flash(index))
    recorder.finish()
    with av.open(str(tmp_path / "a.mp4")) as file:
        stream = file.streams.video[0]
        base = stream.time_base or Fraction(0)
        times = [packet.pts * base for packet in file.demux(stream) if packet.pts is not None]
    assert times == [Fraction(index, 25) for index in range(30)]
