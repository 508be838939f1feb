from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.encoders.wav2vec2_statistics import (
    ChannelScale,
    RunningStatistics,
    StatisticsConfig,
    channel_scale,
    no_statistics,
    prior_variance,
    update,
)
from models.encoders.wav2vec2_streaming import live_audio
from models.errors import ConfigError
from tests.models.encoders.tiny import voice

LIVE = live_audio().statistics
EPS = 1e-5
# Two channels: the sample itself, and the difference of neighbors.
WEIGHT = torch.tensor([[[1.0, 0.0]], [[1.0, -1.0]]])


def counted(
    track: Tensor, config: StatisticsConfig = LIVE, past: RunningStatistics | None = None
) -> RunningStatistics:
    """Count a track, frame by frame."""
    now = past or no_statistics(2, torch.device("cpu"))
    for frame in torch.split(track, 640):
        now = update(now, frame, torch.conv1d(frame[None, None], WEIGHT)[0], config)
    return now


def scale_after(track: Tensor, past: RunningStatistics | None = None) -> ChannelScale:
    return channel_scale(counted(track, past=past), prior_variance(WEIGHT), EPS, LIVE)


def test_the_means_are_those_of_the_audio_so_far() -> None:
    track = voice(2.0) + 0.01
    now = counted(track)
    frames = torch.split(track, 640)
    outputs = torch.cat([torch.conv1d(f[None, None], WEIGHT)[0] for f in frames], dim=1).double()
    assert float(now.counted_samples) == 32_000
    torch.testing.assert_close(now.wave_mean, track.double().mean())
    torch.testing.assert_close(now.wave_power, track.double().square().mean())
    torch.testing.assert_close(now.conv_mean, outputs.mean(dim=1))
    torch.testing.assert_close(now.conv_power, outputs.square().mean(dim=1))


def test_counted_audio_makes_each_channel_zero_mean_and_unit_variance() -> None:
    track = voice(20.0) * 2 + 0.05
    scale = scale_after(track)
    outputs = torch.conv1d(track[None, None], WEIGHT)[0]
    scaled = (outputs - scale.mean[:, None]) * scale.gain[:, None]
    torch.testing.assert_close(scaled.mean(dim=1), torch.zeros(2), atol=0.01, rtol=0)
    torch.testing.assert_close(scaled.std(dim=1), torch.ones(2), atol=0.05, rtol=0)


def test_a_quiet_room_before_the_first_word_is_not_blown_up_to_speech() -> None:
    noise = 1e-4 * torch.randn(160_000, generator=torch.Generator().manual_seed(0))  # -80 dBFS
    assert float(noise.std() * scale_after(noise).gain[0]) < 0.01
    assert float(counted(noise).counted_samples) == 0


def test_a_long_silence_is_not_counted_but_a_pause_is() -> None:
    spoken = counted(voice(2.0))
    pause, silence = torch.zeros(8_000), torch.zeros(160_000)
    assert float(counted(pause, past=spoken).counted_samples) == 32_000 + 8_000
    assert float(counted(silence, past=spoken).counted_samples) == 32_000 + 16_000


def test_a_constant_offset_is_silence() -> None:
    assert float(counted(torch.full((16_000,), 0.1)).counted_samples) == 0


def test_audio_older_than_the_memory_fades() -> None:
    config = replace(LIVE, memory_s=1.0)
    loud = counted(voice(5.0), config)
    quiet = counted(voice(5.0) * 0.1, config, past=loud)
    alone = counted(voice(5.0) * 0.1, config)
    assert float(loud.counted_samples) == 16_000
    torch.testing.assert_close(quiet.wave_power, alone.wave_power, rtol=0.7, atol=0)
    assert float(quiet.wave_power) < 0.05 * float(loud.wave_power)


def test_after_hours_of_speech_a_frame_still_counts() -> None:
    long = replace(LIVE, memory_s=30.0)
    past = counted(voice(1.0), long)._replace(counted_samples=torch.tensor(480_000.0).double())
    now = counted(torch.zeros(640) + voice(0.04) * 3, long, past=past)
    assert float(now.counted_samples) == 480_000
    assert float(now.wave_power) != float(past.wave_power)


def test_the_prior_is_the_variance_that_speech_would_have() -> None:
    variance = prior_variance(WEIGHT)
    assert float(variance[0]) == pytest.approx(1.0)
    assert float(variance[1]) == pytest.approx(2 - 2 * 0.96)


@pytest.mark.parametrize("changes", [{"memory_s": 0.0}, {"prior_s": 0.0}, {"hangover_s": -1.0}])
def test_a_contradictory_config_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        replace(LIVE, **changes)
