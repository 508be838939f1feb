from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from models.studio.vae import StudioVAE
from tests.models.studio.sizes import tiny_vae
from training.runs.config_file import read_config
from training.stages.dit.dit_cli import SMOKE
from training.stages.dit.rollouts import clips_alike, whole_clips
from training.stages.dit.sampling import euler
from training.stages.dit.shipped import TrainedDit, read_dit
from training.stages.dit.smoke import doll_encoders
from training.stages.dit.talking import (
    Videos,
    decode,
    draw_sheet,
    judge,
    make_videos,
    motion_in_silence,
)
from training.stages.dit.talking_cli import summary
from training.stages.dit.task import DitStageConfig
from training.stages.dit.windows import ClipBank, Window

CLIPS, FRAMES, SIDE = 3, 120, 32
pytest.importorskip("ai_edge_litert")  # the judge of mouths; synthetic ones stand in for it here


def talking_squares(openings: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Draw mouths [B, T] as the brightness of whole pictures, which `seen` reads."""
    bright = np.clip(openings * 200 + 20, 0, 255).astype(np.uint8)
    return np.broadcast_to(bright[..., None, None, None], (*bright.shape, SIDE, SIDE, 3)).copy()


def seen(video: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(video.mean((1, 2, 3)), np.float64)


def voices() -> NDArray[np.float64]:
    """Give lip gaps [B, T] in 10 mm that speak for a second and are silent for a second."""
    t = np.arange(FRAMES) / 25
    syllables = [np.clip(np.sin(2 * np.pi * (3 + k) * t), 0, 1) for k in range(CLIPS)]
    return np.stack(syllables) * (t % 2 < 1)


def test_a_judge_sees_lips_that_follow_lips_that_lag_and_lips_of_others() -> None:
    gaps = voices()
    late, other = np.roll(gaps, 2, axis=1), np.roll(gaps, 1, axis=0)
    videos = Videos(*(talking_squares(each) for each in (gaps, late, other)))
    judged = judge(videos, gaps.astype(np.float32), seen)
    assert all(clip.rebuilt.r > 0.99 for clip in judged)
    assert all(clip.made.lag_frames == 2 for clip in judged)
    assert all(clip.made.r < clip.rebuilt.r for clip in judged)
    assert all(abs(clip.with_other_voice.r) < 0.7 for clip in judged)
    assert all(clip.amplitude == pytest.approx(1, abs=0.02) for clip in judged)
    told = summary(judged)
    assert told["lag_frames"] == 2
    assert told["lip_r_ceiling"] == pytest.approx(1, abs=0.01)


def test_a_mouth_that_moves_in_silence_is_told_from_one_that_rests() -> None:
    gap = voices()[0]
    restless = gap + 0.3 * np.sin(np.arange(FRAMES))
    assert motion_in_silence(gap, gap) < 0.1
    assert motion_in_silence(restless, gap) > 0.4
    assert np.isnan(motion_in_silence(gap, np.ones(FRAMES))), "nobody was ever silent"


@pytest.fixture(scope="module")
def trained(single_run: Path) -> TrainedDit:
    return read_dit(single_run)


@pytest.fixture(scope="module")
def window(single_run: Path, trained: TrainedDit) -> Window:
    windows = read_config(SMOKE, DitStageConfig).windows
    clips = clips_alike(ClipBank([single_run / "held-out-dolls"]), 2)
    return whole_clips(clips, trained.words, windows, 4, is_acting_told=False)


def test_held_out_clips_become_videos_and_a_sheet(
    trained: TrainedDit, window: Window, tmp_path: Path
) -> None:
    vae = doll_encoders().vae
    videos = make_videos(trained.dit, vae, window, euler(2))
    assert videos.made.shape == videos.rebuilt.shape == (2, 16, 64, 64, 3)
    assert videos.made.dtype == np.uint8
    assert (videos.made != videos.with_other_voice).any()
    draw_sheet(videos, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 64, 4 * 64)


def test_only_what_a_room_is_told_is_told(window: Window) -> None:
    assert (window.known[..., 0] == 1).all()
    assert not window.known[..., 1:].any()


def test_latents_are_decoded_as_a_stream() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = StudioVAE(tiny_vae()).eval().requires_grad_(False)
        latents, picture = torch.randn(2, 4, 3, 2, 2), torch.rand(2, 3, 32, 32)
    whole = vae.decode(latents, vae.look(picture)).video.permute(0, 2, 3, 4, 1)
    pixels = ((whole + 1) * 127.5).round().clamp(0, 255).numpy().astype(np.int64)
    assert np.abs(decode(vae, latents, picture).astype(np.int64) - pixels).max() <= 1
