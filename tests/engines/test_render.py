from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.errors import InputError
from engines.render import Cue, Progress, film
from engines.scene.scene import Scene
from engines.stream import AvatarStream
from engines.video_file import VideoFile, gains


class Kept(VideoFile):
    """Keeps what it is given beside writing it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, (64, 32), gains(2, "mono"))
        self.frames = 0
        self.sound: list[NDArray[np.float32]] = []

    def write(self, frames: NDArray[np.uint8], voices: NDArray[np.float32]) -> None:
        self.frames += len(frames)
        self.sound.append(voices)
        super().write(frames, voices)


def test_a_film_holds_every_sample_once_and_then_silence(
    engine: AvatarEngine, scene: Scene, tmp_path: Path, voices: NDArray[np.float32]
) -> None:
    long, short = voices[0, :20_001], voices[1, :3_000]
    told: list[Progress] = []
    with AvatarStream(engine, scene) as stream, Kept(tmp_path / "f.mp4") as out:
        done = film(stream, {1: short, 0: long}, out, report=told.append)
    sound = np.concatenate(out.sound, axis=1)
    assert out.frames == 32  # 20001 samples begin their 32nd frame
    assert sound.shape == (2, 32 * 640)
    assert (sound[0, :20_001] == long).all()
    assert (sound[1, :3_000] == short).all()
    assert not sound[0, 20_001:].any()
    assert not sound[1, 3_000:].any()
    assert done == told[-1]
    assert done.seconds_made == done.seconds_in_all == 32 / 25
    assert [each.seconds_made for each in told] == sorted(each.seconds_made for each in told)


def test_progress_counts_what_is_left_at_the_speed_so_far() -> None:
    progress = Progress(seconds_made=2, seconds_in_all=10, seconds_spent=1)
    assert progress.real_time_factor == 0.5
    assert progress.seconds_left == 4


def test_a_film_without_voices_is_refused(
    engine: AvatarEngine, scene: Scene, tmp_path: Path
) -> None:
    with (
        AvatarStream(engine, scene) as stream,
        Kept(tmp_path / "f.mp4") as out,
        pytest.raises(InputError, match="needs a voice"),
    ):
        film(stream, {}, out)


def test_cues_change_the_prompt_from_their_chunk_on(
    engine: AvatarEngine,
    scene: Scene,
    tmp_path: Path,
    voices: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[tuple[float, str]] = []
    set_prompt = AvatarStream.set_prompt

    def listening(stream: AvatarStream, prompt: str) -> None:
        heard.append((stream.position_seconds, prompt))
        set_prompt(stream, prompt)

    monkeypatch.setattr(AvatarStream, "set_prompt", listening)
    cues = [Cue(seconds=0.3, prompt="they frown"), Cue(seconds=0.0, prompt="they smile")]
    with AvatarStream(engine, scene) as stream, Kept(tmp_path / "f.mp4") as out:
        chunk = stream.chunk_seconds
        film(stream, {0: voices[0, :16_000]}, out, cues=cues)
    assert heard == [(0.0, "they smile"), (-(-0.3 // chunk) * chunk, "they frown")]
