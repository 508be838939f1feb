from __future__ import annotations

import json
import math
import wave
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from models.encoders import wav2vec2_bench
from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2_bench_inputs import load_network, read_wav, synthetic_voice
from models.encoders.wav2vec2_deviation import hear, sample_windows
from models.encoders.wav2vec2_streaming import StreamingWav2Vec2, live_audio
from models.encoders.waveform import multitalk_audio
from models.errors import CheckpointError, InputError
from tests.models.encoders.tiny import voice


def write_wav(path: Path, *, rate: int = 16_000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"\x00\x40" * (3200 * channels * width // 2))
    return path


def test_a_sampled_window_is_the_one_a_stream_emits(network: Wav2Vec2Network) -> None:
    config = live_audio()
    config = type(config)(
        lookahead_ms=80, left_context_frames=10, hop_frames=1, statistics=config.statistics
    )
    stream, samples = StreamingWav2Vec2(network, multitalk_audio(), config), voice(1.0)
    emitted, _ = stream.step(samples, stream.begin())
    heard = hear(network, stream.grid, samples, config.statistics)
    sampled = sample_windows(heard, range(0, 20, 4), lookahead_ms=80, left_context_frames=10)
    assert torch.equal(sampled, emitted.windows[0:20:4])


def test_the_report_is_complete_and_written(
    network: Wav2Vec2Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wav2vec2_bench, "load_network", lambda _weights, seed: network)
    out = tmp_path / "report.json"
    arguments = ["--seconds", "2", "--threads", "1", "--json", str(out)]
    result = CliRunner().invoke(wav2vec2_bench.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert len(report["table"]) == 20
    assert report["seconds"] == 2
    by_cell = {(s["lookahead_ms"], s["left_context_frames"]): s for s in report["table"]}
    blind, seeing = by_cell[0, 25]["deviation"], by_cell[320, 200]["deviation"]
    assert seeing["relative_l2"] < blind["relative_l2"]
    assert set(report["frame_ms"]) == {"p50", "p95", "p99"}
    found = [report[key]["relative_l2"] for key in ("chosen", "only_context", "only_statistics")]
    assert all(math.isfinite(x) and 0 < x < 1 for x in found)
    assert "RANDOM weights" in result.output
    assert "| 80 ms |" in result.output


def test_a_wav_is_read_as_one_track(tmp_path: Path) -> None:
    samples = read_wav(write_wav(tmp_path / "two.wav", channels=2))
    assert samples.shape == (3200,)
    assert torch.equal(samples, torch.full((3200,), 0.5))


@pytest.mark.parametrize(("rate", "width"), [(44_100, 2), (16_000, 1)])
def test_a_wav_of_another_kind_is_refused(tmp_path: Path, rate: int, width: int) -> None:
    with pytest.raises(InputError, match="ffmpeg"):
        read_wav(write_wav(tmp_path / "other.wav", rate=rate, width=width))


def test_what_is_no_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(InputError, match="cannot read"):
        read_wav(tmp_path / "text.wav")


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    torch.save({"encoder.layers.0.other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth"):
        load_network(tmp_path / "other.pth", seed=0)


def test_the_synthetic_voice_is_the_same_for_a_seed_and_has_pauses() -> None:
    track = synthetic_voice(6, seed=1)
    assert torch.equal(track, synthetic_voice(6, seed=1))
    assert not torch.equal(track, synthetic_voice(6, seed=2))
    level = track.view(-1, 640).square().mean(dim=1)
    assert float(level.max()) > 1e-3
    assert int((level < 1e-7).sum()) > 20
