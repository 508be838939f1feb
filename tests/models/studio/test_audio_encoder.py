"""Claims about the streaming audio encoder."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from models.errors import ConfigError, InputError
from models.studio.audio_config import FRAME_SAMPLES, AudioEncoderConfig, studio_audio
from models.studio.audio_encoder import AudioEncoder, State
from models.studio.log_mel import LogMel, compressed, expanded

FRAMES = 24


def tiny() -> AudioEncoderConfig:
    return dataclasses.replace(
        studio_audio(),
        mels=20,
        channels=16,
        fast_dilations=(1, 3),
        slow_dilations=(1, 2),
        features=12,
    )


@pytest.fixture
def encoder() -> AudioEncoder:
    """A random network in double precision in which every block does something."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        network = AudioEncoder(tiny())
        for name, parameter in network.named_parameters():
            if name.endswith("mix.weight"):
                nn.init.normal_(parameter, std=0.3)
    return network.double().eval().requires_grad_(False)


def voices(count: int = 2, frames: int = FRAMES) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (count, frames * FRAME_SAMPLES)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * 0.1


@pytest.mark.parametrize("cuts", [[1] * FRAMES, [4] * 6, [1, 7, 2, 14], [23, 1]])
def test_a_stream_equals_the_whole_however_it_is_cut(
    encoder: AudioEncoder, cuts: list[int]
) -> None:
    samples = voices()
    whole, end = encoder(samples, encoder.zero_state(2))
    state, pieces = encoder.zero_state(2), []
    starts = np.cumsum([0, *cuts]) * FRAME_SAMPLES
    for first, last in pairwise(starts.tolist()):
        frames, state = encoder(samples[:, first:last], state)
        pieces.append(frames)
    for index, field in enumerate(("features", "curves")):
        joined = torch.cat([piece[index] for piece in pieces], dim=1)
        torch.testing.assert_close(joined, getattr(whole, field), rtol=0, atol=1e-12)
    for mine, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_a_frame_hears_its_look_ahead_and_nothing_beyond(encoder: AudioEncoder) -> None:
    late = encoder.config.look_ahead_frames
    before, frame = voices(1), 10
    heard = (frame + 1) * FRAME_SAMPLES + encoder.config.look_ahead_samples
    curves = encoder(before, encoder.zero_state(1))[0].curves

    after = before.clone()
    after[:, heard:] = 0.7
    unheard = encoder(after, encoder.zero_state(1))[0].curves
    assert torch.equal(unheard[:, : frame + late + 1], curves[:, : frame + late + 1])

    after = before.clone()
    after[:, heard - 100 : heard] = 0.7
    felt = encoder(after, encoder.zero_state(1))[0].curves
    assert not torch.equal(felt[:, frame + late], curves[:, frame + late])
    assert torch.equal(felt[:, : frame + late], curves[:, : frame + late])


def test_the_shipped_encoder_waits_for_80_ms() -> None:
    assert studio_audio().look_ahead_samples == 1280


def test_voices_of_one_batch_do_not_hear_each_other(encoder: AudioEncoder) -> None:
    samples = voices(3)
    together = encoder(samples, encoder.zero_state(3))[0].features
    for index in range(3):
        alone = encoder(samples[index : index + 1], encoder.zero_state(1))[0].features
        torch.testing.assert_close(alone[0], together[index], rtol=0, atol=1e-12)


def test_silence_is_zero_so_that_zeros_are_a_past_of_silence() -> None:
    front = LogMel(tiny())
    mels, past = front(torch.zeros(1, 1600), torch.zeros(1, front.past_samples))
    assert mels.shape == (1, 20, 10)
    assert past.shape == (1, front.past_samples)
    assert not mels.any()


def test_a_tone_sounds_in_the_band_of_its_frequency() -> None:
    front = LogMel(studio_audio())
    time = torch.arange(1600) / 16_000
    loudest = []
    for hz in (200.0, 1000.0, 4000.0):
        tone = 0.1 * torch.sin(2 * torch.pi * hz * time)[None]
        mels, _ = front(tone, torch.zeros(1, front.past_samples))
        loudest.append(int(mels[0, :, -1].argmax()))
    mel = 2595 * np.log10(1 + np.array([200.0, 1000.0, 4000.0]) / 700)
    low, high = 2595 * np.log10(1 + np.array([50.0, 7600.0]) / 700)
    expected = (mel - low) / (high - low) * 81 - 1
    np.testing.assert_allclose(loudest, expected, atol=1.5)


def test_log_mels_turn_back_into_powers() -> None:
    power = torch.tensor([0.0, 1e-8, 1e-4, 3.0], dtype=torch.float64)
    torch.testing.assert_close(expanded(compressed(power)), power, rtol=1e-9, atol=1e-20)


def test_every_tensor_of_the_state_has_a_name_and_a_static_shape(encoder: AudioEncoder) -> None:
    state = encoder.zero_state(2)
    _, after = encoder(voices(), state)
    assert len(encoder.state_names) == len(set(encoder.state_names)) == len(state)
    assert [t.shape for t in after] == [t.shape for t in state]


def test_samples_that_are_no_whole_frames_are_refused(encoder: AudioEncoder) -> None:
    with pytest.raises(InputError, match=r"T \* 640.*got \[1, 1000\]"):
        encoder(torch.zeros(1, 1000, dtype=torch.float64), encoder.zero_state(1))


def test_the_state_of_another_number_of_voices_is_refused(encoder: AudioEncoder) -> None:
    with pytest.raises(InputError, match=r"zero_state\(2\)"):
        encoder(voices(2), encoder.zero_state(1))


def test_a_band_beyond_half_the_sample_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="9000"):
        dataclasses.replace(tiny(), highest_hz=9000.0)


def test_the_shipped_encoder_has_less_than_2_million_parameters() -> None:
    count = sum(p.numel() for p in AudioEncoder(studio_audio()).parameters())
    assert 0.5e6 < count < 2e6


class Flat(nn.Module):
    """The encoder with its state as plain arguments, as a graph has it."""

    def __init__(self, encoder: AudioEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, samples: Tensor, *state: Tensor) -> State:
        frames, after = self.encoder(samples, state)
        return (frames.features, frames.curves, *after)


@pytest.mark.filterwarnings("ignore")  # of the exporter's own making
def test_its_onnx_graph_gives_the_same_with_state_in_and_out(
    encoder: AudioEncoder, tmp_path: Path
) -> None:
    network = Flat(encoder.float())
    samples, state = voices(2, 4).float(), encoder.zero_state(2)
    file = tmp_path / "encoder.onnx"
    names = [f"state.{name}" for name in encoder.state_names]
    torch.onnx.export(
        network,
        (samples, *state),
        file,
        input_names=["samples", *names],
        opset_version=23,
        dynamo=True,
        verbose=False,
    )
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    for _ in range(2):
        expected = network(samples, *state)
        feeds = dict(zip(["samples", *names], [samples, *state], strict=True))
        got = session.run(None, {name: tensor.numpy() for name, tensor in feeds.items()})
        for mine, theirs in zip(expected, got, strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-5)
        state = expected[2:]
