from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from export.errors import RequestError
from export.live_voice import FRAME_SAMPLES, audio_network
from export.network import ExportNetwork
from export.onnx_file import write_onnx
from export.parity import relative_l2
from export.program_file import ProgramRunner, write_program
from export.runners import OrtRunner, Runner
from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2_streaming import StreamingConfig, StreamingWav2Vec2, live_audio
from models.encoders.waveform import multitalk_audio
from tests.export import small
from tests.models.encoders.tiny import seeded, tiny_wav2vec2, voice

CHUNKS = 6
QUIET_CHUNKS = 5  # 20 video frames: more than the past and the look-ahead hold
LIVE = replace(live_audio(), left_context_frames=14)


def speech_network() -> Wav2Vec2Network:
    network = seeded(lambda: Wav2Vec2Network(tiny_wav2vec2()))
    assert isinstance(network, Wav2Vec2Network)
    return network.eval()


def streamed(network: Wav2Vec2Network, samples: Tensor, live: StreamingConfig) -> Tensor:
    """Hear a voice after silence as the models do: windows [T, 5, L, C] of its own frames."""
    stream = StreamingWav2Vec2(network, multitalk_audio(), live)
    frames = QUIET_CHUNKS * 4 + 1  # frame 0 is a hop of its own
    silence = torch.zeros(frames * FRAME_SAMPLES)
    features, _ = stream.step(torch.cat([silence, samples]), stream.begin())
    return features.windows[frames:]


def exported(network: ExportNetwork, run: Runner, voices: Tensor) -> list[Tensor]:
    """Hear voices [P, n] chunk by chunk after silence; features [P, 8, L, C] of each chunk."""
    specs = {spec.name: spec for spec in network.inputs}
    states = {name: specs[name].zeros() for name in network.states}
    size = specs["samples"].shape[1]
    # The last quiet chunk hears the look-ahead of the first that speaks.
    silence = torch.zeros(voices.shape[0], QUIET_CHUNKS * size - LIVE.lookahead_samples)
    pieces = torch.cat([silence, voices], dim=1)
    made = []
    for start in range(0, pieces.shape[1] - size + 1, size):
        outputs = run({"samples": pieces[:, start : start + size].contiguous(), **states})
        states = {name: outputs[f"next_{name}"].clone() for name in network.states}
        made.append(outputs["features"].clone())
    return made[QUIET_CHUNKS:]


def two_voices() -> Tensor:
    """Speech, and speech behind a pause that is longer than what is counted."""
    one, two = voice(1.2, seed=1), voice(1.2, seed=2)
    one[6000:] = 0.0
    two[:3000] = 0.0
    return torch.stack([one, two])


@pytest.mark.parametrize("target", ["torch", "onnx", "program"])
def test_a_live_voice_is_heard_as_the_models_stream_it(target: str, tmp_path: Path) -> None:
    network, statistics = speech_network(), replace(LIVE.statistics, hangover_s=0.3)
    live = replace(LIVE, statistics=statistics)
    graph = audio_network(network, small.shape(), live)
    run: Runner = graph.run
    if target == "onnx":
        run = OrtRunner(graph, write_onnx(graph, tmp_path), threads=1)
    if target == "program":
        run = ProgramRunner(graph, write_program(graph, tmp_path))
    voices = two_voices()
    made = exported(graph, run, voices)
    for person in range(2):
        expected = streamed(network, voices[person], live)
        for chunk in range(CHUNKS):
            features = made[chunk][person]
            windows = torch.stack([features[i : i + 4] for i in range(5)], dim=1)
            error = relative_l2(windows, expected[4 * chunk : 4 * chunk + 4])
            assert error < 2e-5, f"person {person}, chunk {chunk}: {error}"


def test_silence_does_not_count_and_the_first_word_does() -> None:
    graph = audio_network(speech_network(), small.shape(people=1), LIVE)
    states = {spec.name: spec.zeros() for spec in graph.inputs if spec.name in graph.states}
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 2560)).astype(np.float32))
    after = graph.run({"samples": noise * 1e-4, **states})
    assert float(after["next_state.counted"]) == 0
    after = graph.run({"samples": noise * 0.1, **states})
    assert float(after["next_state.counted"]) == 2560


def test_a_look_ahead_that_is_no_whole_frames_is_refused() -> None:
    with pytest.raises(RequestError, match="whole video frames of 40 ms, got 60 ms"):
        audio_network(speech_network(), small.shape(), replace(LIVE, lookahead_ms=60))
