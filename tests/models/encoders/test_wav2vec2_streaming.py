from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.encoders.wav2vec2 import Wav2Vec2Network, audio_features, audio_windows
from models.encoders.wav2vec2_deviation import frozen, whole_statistics
from models.encoders.wav2vec2_streaming import (
    StreamingConfig,
    StreamingWav2Vec2,
    StreamState,
    live_audio,
)
from models.encoders.waveform import AudioRecipe, anytalker_audio, multitalk_audio
from models.errors import ConfigError, InputError
from tests.models.encoders.tiny import seeded, tiny_wav2vec2, voice

SHORT = replace(live_audio(), hop_frames=1, left_context_frames=10)


def stream_of(
    network: Wav2Vec2Network, config: StreamingConfig = SHORT, recipe: AudioRecipe | None = None
) -> StreamingWav2Vec2:
    return StreamingWav2Vec2(network, recipe or multitalk_audio(), config)


def pushed(
    stream: StreamingWav2Vec2, samples: Tensor, sizes: Iterable[int]
) -> tuple[Tensor, StreamState]:
    """Push samples in pieces of the given sizes, over and over; give the windows emitted."""
    state, windows, start = stream.begin(), [], 0
    sizes = list(sizes)
    for i in range(samples.shape[0]):
        size = sizes[i % len(sizes)]
        found, state = stream.step(samples[start : start + size], state)
        windows.append(found.windows)
        start += size
        if start >= samples.shape[0]:
            break
    return torch.cat(windows), state


def run_through(stream: StreamingWav2Vec2, samples: Tensor, sizes: Iterable[int]) -> Tensor:
    windows, state = pushed(stream, samples, sizes)
    return torch.cat([windows, stream.flush(state).windows])


@pytest.mark.parametrize("recipe", [multitalk_audio(), anytalker_audio()])
@pytest.mark.parametrize("hop_frames", [1, 4])
def test_the_size_of_the_pushes_changes_no_bit(
    network: Wav2Vec2Network, recipe: AudioRecipe, hop_frames: int
) -> None:
    stream = stream_of(network, replace(SHORT, hop_frames=hop_frames), recipe)
    samples = voice(0.83)
    whole = run_through(stream, samples, [samples.shape[0]])
    for sizes in ([640], [1, 999, 0, 3333]):
        assert torch.equal(run_through(stream, samples, sizes), whole)


def test_with_all_context_and_the_clips_statistics_it_is_the_offline_form(
    network: Wav2Vec2Network,
) -> None:
    samples = voice(1.6)
    config = StreamingConfig(
        lookahead_ms=2000,
        left_context_frames=100,
        hop_frames=1,
        statistics=frozen(SHORT.statistics),
    )
    stream = stream_of(network, config)
    found, state = stream.step(samples, stream.begin(whole_statistics(network, samples)))
    assert found.windows.shape[0] == 0
    windows = stream.flush(state).windows
    offline = audio_features(network, samples, multitalk_audio())
    assert offline.shape[0] == 40
    torch.testing.assert_close(windows, audio_windows(offline), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("lookahead_ms", [0, 80])
def test_a_frame_hears_nothing_beyond_its_look_ahead_and_all_within_it(
    network: Wav2Vec2Network, lookahead_ms: int
) -> None:
    stream = stream_of(network, replace(SHORT, lookahead_ms=lookahead_ms))
    samples = voice(1.0)
    frame, due = 12, 640 * 13 + 16 * lookahead_ms
    expected = run_through(stream, samples, [640])[: frame + 1]
    later, sooner = samples.clone(), samples.clone()
    later[due:] = -later[due:]
    sooner[due - 240 - 320 : due - 240] *= -0.5  # the newest convolution frame in view
    assert torch.equal(run_through(stream, later, [640])[: frame + 1], expected)
    assert not torch.equal(run_through(stream, sooner, [640])[frame], expected[frame])


@pytest.mark.parametrize("lookahead_ms", [0, 40, 100])
def test_frame_k_is_emitted_by_the_sample_that_completes_its_look_ahead(
    network: Wav2Vec2Network, lookahead_ms: int
) -> None:
    stream = stream_of(network, replace(SHORT, lookahead_ms=lookahead_ms))
    due = 640 * 4 + 16 * lookahead_ms
    found, state = stream.step(voice(0.5)[: due - 1], stream.begin())
    assert (found.first_frame, found.windows.shape[0]) == (0, 3)
    found, state = stream.step(voice(0.5)[due - 1 : due], state)
    assert (found.first_frame, found.windows.shape[0]) == (3, 1)
    assert state.next_frame == 4


def test_hops_end_where_latent_frames_end(network: Wav2Vec2Network) -> None:
    stream = stream_of(network, replace(SHORT, hop_frames=4))
    state, emitted = stream.begin(), []
    for push in torch.split(voice(0.6), 640):
        found, state = stream.step(push, state)
        emitted.append(found.windows.shape[0])
    # Two frames of look-ahead behind frames 0, 4, 8 and 12.
    assert emitted == [0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4]


def test_windows_are_clamped_to_the_newest_frame_heard(network: Wav2Vec2Network) -> None:
    blind, _ = pushed(stream_of(network, replace(SHORT, lookahead_ms=0)), voice(0.6), [640])
    assert torch.equal(blind[8, 3], blind[8, 2])
    assert torch.equal(blind[8, 4], blind[8, 2])
    seeing, _ = pushed(stream_of(network), voice(0.6), [640])
    assert not torch.equal(seeing[8, 4], seeing[8, 3])
    assert torch.equal(seeing[0, 0], seeing[0, 2])


@pytest.mark.parametrize(
    ("recipe", "samples", "frames"),
    [
        (multitalk_audio(), 6400, 10),
        (multitalk_audio(), 6400 + 639, 10),
        (anytalker_audio(25), 6401, 11),
        (anytalker_audio(), 6400, 10),
        (anytalker_audio(), 1, 1),
        (multitalk_audio(), 639, 0),
    ],
)
def test_flush_gives_the_frames_still_owed(
    network: Wav2Vec2Network, recipe: AudioRecipe, samples: int, frames: int
) -> None:
    windows = run_through(stream_of(network, SHORT, recipe), voice(1.0)[:samples], [1000])
    assert windows.shape == (frames, 5, 2, 32)
    assert windows.isfinite().all()


def test_a_stream_that_heard_nothing_owes_nothing(network: Wav2Vec2Network) -> None:
    stream = stream_of(network)
    assert stream.flush(stream.begin()).windows.shape == (0, 5, 2, 32)


def test_two_interleaved_streams_do_not_meet(network: Wav2Vec2Network) -> None:
    stream = stream_of(network)
    one, two = voice(0.8, seed=1), voice(0.8, seed=2)
    alone = pushed(stream, one, [640])[0], pushed(stream, two, [640])[0]
    states = [stream.begin(), stream.begin()]
    emitted: list[list[Tensor]] = [[], []]
    for pair in zip(torch.split(one, 640), torch.split(two, 640), strict=True):
        for i, push in enumerate(pair):
            found, states[i] = stream.step(push, states[i])
            emitted[i].append(found.windows)
    assert torch.equal(torch.cat(emitted[0]), alone[0])
    assert torch.equal(torch.cat(emitted[1]), alone[1])


def test_a_state_can_be_stepped_twice(network: Wav2Vec2Network) -> None:
    stream = stream_of(network)
    _, state = pushed(stream, voice(0.5), [8000])
    first, _ = stream.step(voice(0.2, seed=3), state)
    stream.flush(state)
    second, _ = stream.step(voice(0.2, seed=3), state)
    assert first.windows.shape[0] == 5
    assert torch.equal(first.windows, second.windows)


def test_the_state_stays_as_small_as_its_context(network: Wav2Vec2Network) -> None:
    stream, sizes = stream_of(network), set()
    state = stream.begin()
    for push in torch.split(voice(2.0), 640):
        _, state = stream.step(push, state)
        sizes.add((state.samples.shape[0], state.conv.shape[0]))
        assert state.samples.untyped_storage().nbytes() <= 4 * (640 + 1280)
        assert state.conv.untyped_storage().nbytes() <= 4 * 16 * 20
    assert max(samples for samples, _ in sizes) <= 640 + 1280  # a frame and its look-ahead
    assert max(frames for _, frames in sizes) == 10 + 2


def test_a_long_push_is_not_kept(network: Wav2Vec2Network) -> None:
    _, state = stream_of(network).step(voice(2.0), stream_of(network).begin())
    assert state.samples.untyped_storage().nbytes() <= 4 * (640 + 1280)


@pytest.mark.parametrize("recipe", [multitalk_audio(), anytalker_audio()])
def test_every_sample_is_counted_once(network: Wav2Vec2Network, recipe: AudioRecipe) -> None:
    samples = voice(1.0)
    _, state = pushed(stream_of(network, SHORT, recipe), samples, [640])
    found = state.statistics
    weight = network.first_conv().weight
    counted = int(found.counted_samples)
    raw = torch.conv1d(samples[None, None].double(), weight.double(), stride=5)[
        0, :, : counted // 5
    ]
    torch.testing.assert_close(found.wave_power, samples[:counted].double().square().mean())
    torch.testing.assert_close(found.conv_mean, raw.mean(dim=1), atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(found.conv_power, raw.square().mean(dim=1), atol=0, rtol=1e-5)
    assert samples.shape[0] - counted < 640 + 1280


@pytest.mark.parametrize("recipe", [multitalk_audio(), anytalker_audio()])
def test_hours_into_a_stream_nothing_has_changed(
    network: Wav2Vec2Network, recipe: AudioRecipe
) -> None:
    stream, hours = stream_of(network, SHORT, recipe), 1000
    _, early = pushed(stream, voice(1.0), [640])
    late = replace(
        early,
        first_sample=early.first_sample + hours * 3600 * 16_000,
        next_conv_frame=early.next_conv_frame + hours * 3600 * recipe.fps,
        next_frame=early.next_frame + hours * 3600 * recipe.fps,
    )
    soon, _ = stream.step(voice(0.5, seed=4), early)
    then, _ = stream.step(voice(0.5, seed=4), late)
    assert torch.equal(soon.windows, then.windows)
    assert then.first_frame == soon.first_frame + hours * 3600 * recipe.fps


def test_silence_and_a_voice_after_it_have_finite_features(network: Wav2Vec2Network) -> None:
    track = torch.cat([torch.zeros(16_000), voice(0.5), torch.zeros(16_000)])
    assert run_through(stream_of(network), track, [640]).isfinite().all()


def test_a_refused_push_leaves_the_stream_usable(network: Wav2Vec2Network) -> None:
    stream = stream_of(network)
    _, state = pushed(stream, voice(0.5), [8000])
    for bad in (torch.full((640,), float("nan")), torch.zeros(640).short(), torch.zeros(2, 640)):
        with pytest.raises(InputError):
            stream.step(bad, state)
    found, _ = stream.step(torch.zeros(640), state)
    assert found.windows.shape[0] == 1


def test_it_works_in_bfloat16_and_inference_mode(network: Wav2Vec2Network) -> None:
    half = Wav2Vec2Network(network.config)
    half.load_state_dict(network.state_dict())
    half.to(torch.bfloat16)
    with torch.inference_mode():
        rough = run_through(stream_of(half), voice(1.0), [640])
    exact = run_through(stream_of(network), voice(1.0), [640])
    assert rough.dtype == torch.bfloat16
    assert float((rough.float() - exact).norm() / exact.norm()) < 0.05


def test_a_look_ahead_shorter_than_a_frames_convolution_is_refused(
    network: Wav2Vec2Network,
) -> None:
    with pytest.raises(ConfigError, match="2 ms"):
        stream_of(network, replace(SHORT, lookahead_ms=0), anytalker_audio())
    stream_of(network, replace(SHORT, lookahead_ms=2), anytalker_audio())


@pytest.mark.parametrize(
    "changes", [{"lookahead_ms": -1}, {"hop_frames": 0}, {"left_context_frames": 1}]
)
def test_a_contradictory_config_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(SHORT, **changes)


def test_a_network_without_the_group_norm_is_refused() -> None:
    other = seeded(lambda: Wav2Vec2Network(tiny_wav2vec2(conv_norm="layer")))
    assert isinstance(other, Wav2Vec2Network)
    with pytest.raises(ConfigError, match="group"):
        stream_of(other)
