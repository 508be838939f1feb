"""What a bench of wav2vec2 runs on: a voice from a file or a seed, and a network likewise."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.encoders.wav2vec2 import Wav2Vec2Network, rename, wav2vec2_base
from models.encoders.waveform import SAMPLE_RATE_HZ
from models.errors import CheckpointError, InputError


def synthetic_voice(seconds: float, seed: int) -> Tensor:
    """Make a speech-like track [n]: a gliding pitch in syllables, with hiss and pauses."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * SAMPLE_RATE_HZ), dtype=torch.float64) / SAMPLE_RATE_HZ
    pitch_hz = 120.0 + 25.0 * torch.sin(2 * math.pi * 0.4 * t)
    phase = 2 * math.pi * pitch_hz.cumsum(0) / SAMPLE_RATE_HZ
    phases = 2 * math.pi * torch.rand(30, generator=generator, dtype=torch.float64)
    voiced = sum(torch.sin(k * phase + phases[k - 1]) / k for k in range(1, 31))
    hiss = torch.randn(t.shape[0], generator=generator, dtype=torch.float64)
    syllable = torch.sin(math.pi * 4.0 * t).square()  # four a second
    is_speaking = torch.sin(2 * math.pi * t / 3.0) > -0.5  # a second of pause in every three
    is_hissing = torch.sin(2 * math.pi * 1.3 * t) > 0.8
    track = (voiced * ~is_hissing + 0.3 * hiss * is_hissing) * syllable * is_speaking
    return (0.1 * track + 1e-4 * hiss).float()


def read_wav(path: Path) -> Tensor:
    """Read 16 kHz PCM16 as one track [n] in [-1, 1], channels averaged.

    Raises:
        InputError: when the file is of another kind.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            data = bytearray(file.readframes(file.getnframes()))
    except (OSError, EOFError, wave.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if rate != SAMPLE_RATE_HZ or width != 2 or not data:
        raise InputError(
            f"{path}: expected 16 kHz PCM16, got {rate} Hz, {8 * width} bit, {len(data)} bytes; "
            "convert it with ffmpeg -i IN -ar 16000 -ac 1 -sample_fmt s16 OUT.wav"
        )
    samples = torch.frombuffer(data, dtype=torch.int16).float() / 32768.0
    return samples.view(-1, channels).mean(dim=1)


def load_network(weights: Path | None, seed: int) -> Wav2Vec2Network:
    """Build the base network with published weights, or with random ones from a seed.

    The random norms and biases are not the initial ones and zeros: otherwise silence would have
    features of zero, and every deviation there would be infinite.
    """
    if weights is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Wav2Vec2Network(wav2vec2_base())
            for name, parameter in network.named_parameters():
                if name.endswith("norm.weight"):
                    parameter.uniform_(0.5, 1.5)
                elif name.endswith("bias"):
                    parameter.normal_(0.0, 0.1)
        return network
    with torch.device("meta"):
        network = Wav2Vec2Network(wav2vec2_base())
    is_safe = weights.suffix == ".safetensors"
    found = load_file(weights) if is_safe else torch.load(weights, weights_only=True)
    named = {rename(name): tensor.float() for name, tensor in found.items()}
    try:
        network.load_state_dict({k: v for k, v in named.items() if k is not None}, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{weights} holds no wav2vec2-base: {error}") from error
    return network
