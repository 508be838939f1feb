from __future__ import annotations

import pytest
import torch

from models.audio_projection import (
    AudioProjectionConfig,
    FrameAudioProjection,
    LatentAudioProjection,
    published_audio,
)
from models.errors import ConfigError
from tests.models import tiny

CFG = tiny.audio_config(6)


def windows(frames: int) -> torch.Tensor:
    return torch.randn(1, 2, frames, 5, 2, 4, generator=tiny.generator())


def test_a_latent_frame_hears_each_feature_of_its_video_frames_once() -> None:
    """Mark every window entry with the feature frame it holds; see which entries are taken."""
    net = LatentAudioProjection(CFG)
    centers = torch.arange(9).reshape(1, 1, 9, 1, 1, 1)
    offsets = torch.arange(-2, 3).reshape(1, 1, 1, 5, 1, 1)
    marked = (centers + offsets).expand(1, 1, 9, 5, 2, 4).float()
    taken = net._latent_windows(marked[:, :, 1:]).reshape(1, 1, 2, 8, 2, 4)[0, 0, :, :, 0, 0]
    assert taken.tolist() == [[-1, 0, 1, 2, 3, 4, 5, 6], [3, 4, 5, 6, 7, 8, 9, 10]]


@pytest.mark.parametrize("kind", [LatentAudioProjection, FrameAudioProjection])
def test_chunks_equal_the_whole(
    kind: type[LatentAudioProjection] | type[FrameAudioProjection],
) -> None:
    net, given = tiny.randomized(kind(CFG)), windows(13)
    whole = net(given, starts_stream=True)
    first = net(given[:, :, :5], starts_stream=True)
    later = net(given[:, :, 5:], starts_stream=False)
    torch.testing.assert_close(torch.cat([first, later], dim=2), whole)


def test_latent_tokens_are_one_set_a_latent_frame_and_frame_tokens_one_a_video_frame() -> None:
    by_latent = LatentAudioProjection(CFG)(windows(9), starts_stream=True)
    by_frame = FrameAudioProjection(CFG)(windows(9), starts_stream=True)
    assert by_latent.shape == (1, 2, 3, 3, 6)
    assert by_frame.shape == (1, 2, 9, 3, 6)


def test_silence_is_finite() -> None:
    net = tiny.randomized(LatentAudioProjection(CFG))
    assert torch.isfinite(net(torch.zeros(1, 1, 5, 5, 2, 4), starts_stream=True)).all()


def test_published_sizes() -> None:
    cfg = published_audio(768)
    assert (cfg.frame_features, cfg.latent_window * cfg.layers * cfg.channels) == (46080, 73728)


def test_a_window_without_a_middle_is_refused() -> None:
    with pytest.raises(ConfigError, match="window=4 is even"):
        AudioProjectionConfig(
            window=4,
            layers=2,
            channels=4,
            hidden_dim=8,
            out_dim=6,
            tokens=3,
            frame_stride=4,
            is_normed=True,
        )
