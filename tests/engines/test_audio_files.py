from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.audio_files import read_audio
from engines.errors import InputError


def write_wave(path: Path, samples: NDArray[np.float64], rate: int) -> None:
    """Write [n] or [channels, n] as 16-bit PCM."""
    channels = np.atleast_2d(samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((channels.T * 32767).astype("<i2").tobytes())


def tone(rate: int, seconds: float = 1.0, hz: float = 440) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
def test_any_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    write_wave(tmp_path / "a.wav", tone(rate), rate)
    samples = read_audio(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(16000, abs=20)
    middle = samples[2000:14000]
    assert np.abs(np.fft.rfft(middle)).argmax() * 16000 / 12000 == pytest.approx(440, abs=2)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.02)


def test_channels_are_mixed(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", np.stack([tone(16000), np.zeros(16000)]), 16000)
    samples = read_audio(tmp_path / "a.wav")
    assert 0.2 < np.abs(samples).max() < 0.5


def test_16_khz_mono_stays_as_it_is(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", tone(16000), 16000)
    assert np.abs(read_audio(tmp_path / "a.wav") - tone(16000)).max() < 1e-4


def test_compressed_sound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libopus", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            tone(48000).astype(np.float32)[None], format="flt", layout="mono"
        )
        frame.sample_rate = 48000
        for each in (frame, None):
            out.mux(stream.encode(each))
    samples = read_audio(path)
    assert len(samples) == pytest.approx(16000, abs=400)


def test_what_holds_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read audio from .*none\.wav: No such file"):
        read_audio(tmp_path / "none.wav")
    text = tmp_path / "text.wav"
    text.write_text("no sound here, only words " * 100)
    with pytest.raises(InputError, match=r"cannot read audio from .*text"):
        read_audio(text)
    write_wave(tmp_path / "empty.wav", np.zeros(0), 16000)
    with pytest.raises(InputError, match="holds no sound"):
        read_audio(tmp_path / "empty.wav")
    with av.open(str(tmp_path / "film.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        out.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match="holds no audio"):
        read_audio(tmp_path / "film.mp4")
    with pytest.raises(InputError):
        read_audio(tmp_path)


def test_sound_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=16000, layout="mono")
        values = np.full((1, 1600), np.nan, np.float32)
        frame = av.AudioFrame.from_ndarray(values, format="flt", layout="mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
    with pytest.raises(InputError, match="NaN or infinite"):
        read_audio(path)
