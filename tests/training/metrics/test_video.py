from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import InputError
from training.metrics.video import read_pictures, read_sound, video_format
from training.metrics.voices import files_by_seat, gather_voices

RATE_HZ = 48_000
SECONDS = 2


def tone(seconds: float = SECONDS) -> NDArray[np.float32]:
    wave: NDArray[np.float32] = 0.5 * np.sin(np.arange(int(seconds * RATE_HZ)) * 0.05)[None]
    return wave.astype(np.float32)


def write(path: Path, tracks: int = 0, pictures: int = 0, late_s: float = 0) -> Path:
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") for _ in range(tracks)]
        if pictures:
            video = file.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for level in range(pictures):
                picture = Image.new("RGB", (64, 48), (5 * level,) * 3)
                file.mux(video.encode(av.VideoFrame.from_ndarray(np.asarray(picture), "rgb24")))
            file.mux(video.encode(None))
        for number, stream in enumerate(streams):
            samples = (tone() * 32767 / (number + 1)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = int(late_s * RATE_HZ)
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return path


def test_pictures_come_in_order_with_their_format(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", tracks=1, pictures=30)
    assert video_format(path) == (64, 48, 25.0, 1)
    levels = [np.asarray(picture).mean() for picture in read_pictures(path)]
    np.testing.assert_allclose(levels, np.arange(30) * 5, atol=6)


def test_sound_of_any_rate_becomes_mono_at_16_khz(tmp_path: Path) -> None:
    samples = read_sound(write(tmp_path / "a.wav", tracks=1))
    assert abs(len(samples) - 16_000 * SECONDS) < 64
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)


def test_sound_that_begins_after_the_pictures_keeps_its_place(tmp_path: Path) -> None:
    samples = read_sound(write(tmp_path / "a.mkv", tracks=1, pictures=30, late_s=0.5))
    assert np.abs(samples[:7900]).max() == 0
    assert np.abs(samples[8100:]).max() == pytest.approx(0.5, abs=0.02)


def test_as_many_tracks_as_people_are_one_each(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", tracks=2, pictures=30)
    found = gather_voices(path, video_format(path), {}, 2)
    assert not found.is_mixed
    loudest = [float(np.abs(found.of(seat)).max()) for seat in range(2)]
    assert loudest == pytest.approx([0.5, 0.25], abs=0.02)


def test_one_track_for_two_people_is_a_mix(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", tracks=1, pictures=30)
    found = gather_voices(path, video_format(path), {}, 2)
    assert found.is_mixed
    assert found.of(0) is found.of(1)


def test_a_person_without_a_file_among_files_is_silent(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", pictures=5)
    sound = write(tmp_path / "b.wav", tracks=1)
    found = gather_voices(path, video_format(path), {1: sound}, 2)
    assert len(found.of(0)) == 0
    assert len(found.of(1)) > 0


def test_a_video_without_sound_has_no_voices(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", pictures=5)
    assert gather_voices(path, video_format(path), {}, 2).source == "none"


def test_a_voice_for_an_empty_seat_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", pictures=5)
    with pytest.raises(InputError, match="seats are 0 to 1"):
        gather_voices(path, video_format(path), {2: path}, 2)


@pytest.mark.parametrize("option", ["left.wav", "x=left.wav", "=left.wav"])
def test_options_of_another_form_are_refused(option: str) -> None:
    with pytest.raises(InputError, match="SEAT=FILE"):
        files_by_seat([option])


def test_two_files_for_a_seat_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.wav", tracks=1)
    with pytest.raises(InputError, match="two files"):
        files_by_seat([f"0={path}", f"0={path}"])
    with pytest.raises(InputError, match="does not exist"):
        files_by_seat(["0=/nowhere.wav"])


def test_files_that_are_no_video_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.mp4"
    text.write_text("no video")
    with pytest.raises(InputError, match=r"a\.mp4 cannot be opened"):
        video_format(text)
    with pytest.raises(InputError, match="no video track"):
        video_format(write(tmp_path / "b.wav", tracks=1))
    with pytest.raises(InputError, match="has 1 audio tracks"):
        read_sound(tmp_path / "b.wav", track=1)
