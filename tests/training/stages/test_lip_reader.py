from __future__ import annotations

import numpy as np
import pytest
import torch

from training.runs.draw import Draw
from training.stages.dolls import DollPool, doll_clip
from training.stages.motion import MIRRORED_MOTION, MIRRORED_SIGNS, MOTION_CHANNELS, motion_of
from training.stages.vae.crops import Batch, CropConfig, draw_batch, mirrored
from training.stages.vae.latent_guess import LatentGuess
from training.stages.vae.lip_reader import WINDOW_PX, LipReader, mouth_windows, unlikeness
from training.studio.performance_data import ARKIT

CLOSE_UPS = CropConfig(
    batch=4,
    latent_frames=2,
    side_px=48,
    aim="mouth",
    aim_share=1.0,
    jitter=0.1,
    looks=3,
    floor_weight=0.5,
    mouth_weight=4.0,
    eye_weight=2.0,
)


@pytest.fixture
def batch() -> Batch:
    return draw_batch(DollPool(24, 64), CLOSE_UPS, Draw(3, 0, 0, torch.device("cpu")))


def trained_reader() -> LipReader:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reader = LipReader()
    optimizer = torch.optim.Adam(reader.parameters(), 1e-3)
    for step in range(60):
        drawn = draw_batch(DollPool(24, 64), CLOSE_UPS, Draw(0, 0, step, torch.device("cpu")))
        seen = reader(mouth_windows(drawn.video, drawn.mouth, drawn.face_width))
        error = (seen.motion - drawn.motion.flatten(0, 1)).abs().mean()
        optimizer.zero_grad()
        torch.autograd.backward(error)
        optimizer.step()
    return reader


def test_the_reader_learns_to_tell_open_mouths_from_shut_ones(batch: Batch) -> None:
    reader = trained_reader()
    jaw = ARKIT.index("jawOpen")
    with torch.no_grad():
        read = reader(mouth_windows(batch.video, batch.mouth, batch.face_width)).motion[:, jaw]
    true = batch.motion.flatten(0, 1)[:, jaw]
    assert np.corrcoef(read.numpy(), true.numpy())[0, 1] > 0.8


def test_reading_moves_pictures_and_never_the_reader(batch: Batch) -> None:
    reader = LipReader()
    made = batch.video.clone().requires_grad_()
    true = reader(mouth_windows(batch.video, batch.mouth, batch.face_width))
    seen = reader.frozen(mouth_windows(made + 0.1, batch.mouth, batch.face_width))
    held = true._replace(features=tuple(f.detach() for f in true.features))
    torch.autograd.backward(
        unlikeness(seen, held._replace(motion=true.motion.detach())).mean(), inputs=[made]
    )
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in reader.parameters())


def test_equal_mouths_are_not_unlike(batch: Batch) -> None:
    reading = LipReader()(mouth_windows(batch.video, batch.mouth, batch.face_width))
    assert torch.allclose(unlikeness(reading, reading), torch.zeros(()))


def test_a_window_shows_the_mouth_in_its_middle_at_any_size_of_face() -> None:
    video = torch.zeros(2, 3, 1, 48, 48)
    video[0, :, :, 20, 30] = video[1, :, :, 20, 30] = 1
    mouth = torch.tensor([30.0, 20.0]).expand(2, 1, 2)
    windows = mouth_windows(video, mouth, torch.tensor([20.0, 60.0]))
    assert windows.shape == (2, 3, WINDOW_PX, WINDOW_PX)
    for window in windows:
        row, column = divmod(int(window[0].argmax()), WINDOW_PX)
        assert abs(row - (WINDOW_PX - 1) / 2) <= 2
        assert abs(column - (WINDOW_PX - 1) / 2) <= 2


def test_close_ups_hold_the_mouth_near_the_middle(batch: Batch) -> None:
    assert batch.is_face.all()
    assert (batch.mouth - CLOSE_UPS.side_px / 2).abs().max() < CLOSE_UPS.side_px * 0.3


def test_livelier_stretches_are_taken_when_more_are_looked_at() -> None:
    def liveliness(looks: int) -> float:
        crops = CropConfig(
            batch=32,
            latent_frames=1,
            side_px=48,
            aim="mouth",
            aim_share=1.0,
            jitter=0.0,
            looks=looks,
            floor_weight=1.0,
            mouth_weight=1.0,
            eye_weight=1.0,
        )
        drawn = draw_batch(DollPool(48, 64), crops, Draw(5, 0, 0, torch.device("cpu")))
        return float(drawn.lip_gap.std(1).mean())

    assert liveliness(6) > 1.3 * liveliness(1)


def test_a_mirrored_face_moves_its_other_side() -> None:
    clip = doll_clip(np.random.default_rng(0), 8, 64)
    left, right = ARKIT.index("mouthSmileLeft"), ARKIT.index("mouthSmileRight")
    clip.labels["curves"][0, :, left] = 0.5
    clip.labels["head_rad"][0, :, 0] = 0.2
    motion = motion_of(clip)
    assert motion.shape == (1, 8, MOTION_CHANNELS)
    turned = motion[..., MIRRORED_MOTION] * MIRRORED_SIGNS
    assert (turned[0, :, right] == 0.5).all()
    assert (turned[0, :, left] == 0).all()
    assert np.allclose(turned[0, :, 53], -0.2)


def test_mirroring_twice_changes_nothing(batch: Batch) -> None:
    one = Batch(*(part[0] for part in batch))
    for before, after in zip(one, mirrored(mirrored(one)), strict=True):
        assert torch.allclose(before.float(), after.float(), atol=1e-4)


def test_a_guess_starts_as_the_still_and_learns_from_motion(batch: Batch) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        guess = LatentGuess(8)
        still = torch.randn(4, 8, 3, 3)
    assert torch.allclose(guess(still, batch), still[:, :, None].expand(-1, -1, 2, -1, -1))
    jaw = batch.motion[..., ARKIT.index("jawOpen")].reshape(4, 2, 4).mean(2)
    target = still[:, :, None] + jaw[:, None, :, None, None]
    optimizer = torch.optim.Adam(guess.parameters(), 3e-3)
    errors = []
    for _ in range(150):
        error = (guess(still, batch) - target).abs().mean()
        errors.append(float(error.detach()))
        optimizer.zero_grad()
        torch.autograd.backward(error)
        optimizer.step()
    assert errors[-1] < errors[0] / 3
