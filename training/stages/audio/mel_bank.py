"""Tracks as log-mels in memory, ready to be cut into batches.

Log-mels of the encoder's own front end are computed once and kept beside the tracks. Shape letters:
K tracks, M mels, J mel frames, T video frames, B batch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.studio.audio_config import FRAME_SAMPLES, HOP_SAMPLES, AudioEncoderConfig
from models.studio.log_mel import LogMel
from training.stages.audio.track_folder import TrackFolder
from training.studio.performance_data import Floats

HOPS = FRAME_SAMPLES // HOP_SAMPLES  # mel frames of a video frame
TRACKS_AT_ONCE = 8

HalfFloats = NDArray[np.float16]


class Cut(NamedTuple):
    """A batch of stretches of T video frames; mels go on for the look-ahead."""

    mels: Floats  # [B, M, (T + look-ahead) * 4]
    targets: Floats  # [B, T, 53]
    phones: NDArray[np.int64]  # [B, T]
    pitch: Floats  # [B, T] octaves above 100 Hz, NaN where unvoiced


class MelBank:
    """Training tracks, each as recorded and as changed by a room or a codec, and noises."""

    def __init__(self, folder: TrackFolder, hours: float, config: AudioEncoderConfig) -> None:
        """Read `hours` of tracks that are there; computes log-mels that are not."""
        self._look_ahead = config.look_ahead_frames
        front = LogMel(config)
        digest = _digest(config)
        self._mels: list[HalfFloats] = []
        targets, phones, pitch = [], [], []
        for path in folder.train_paths(hours):
            shard = folder.read(path)
            self._mels.append(_kept(path, digest, front, shard.samples))
            targets.append(shard.targets)
            phones.append(shard.phones)
            pitch.append(shard.pitch)
        self._targets = np.concatenate(targets)  # [K, T, 53]
        self._phones = np.concatenate(phones)  # [K, T]
        self._pitch = np.concatenate(pitch)  # [K, T]
        self._shard_tracks = len(targets[0])
        noises = folder.read_noises("train")[:, None]
        self._noises = _kept(folder.path / "noises-train.safetensors", digest, front, noises)[:, 0]

    @property
    def hours(self) -> float:
        """How much there is."""
        return float(self._targets.shape[0] * self._targets.shape[1] / 25 / 3600)

    def deviations(self) -> Floats:
        """Give the standard deviation of each curve over all tracks, [53]."""
        return np.asarray(self._targets[::4].astype(np.float32).std(axis=(0, 1)))

    def cut(self, count: int, frames: int, rng: np.random.Generator) -> Cut:
        """Cut `count` random stretches of `frames` video frames."""
        length = self._targets.shape[1]
        tracks = rng.integers(len(self._targets), size=count)
        versions = rng.integers(2, size=count)
        starts = rng.integers(length - frames - self._look_ahead, size=count)
        mels = [
            self._mels[track // self._shard_tracks][
                track % self._shard_tracks,
                version,
                :,
                start * HOPS : (start + frames + self._look_ahead) * HOPS,
            ]
            for track, version, start in zip(tracks, versions, starts, strict=True)
        ]
        at = (tracks[:, None], starts[:, None] + np.arange(frames))
        return Cut(
            mels=np.stack(mels).astype(np.float32),
            targets=self._targets[at].astype(np.float32),
            phones=self._phones[at].astype(np.int64),
            pitch=self._pitch[at].astype(np.float32),
        )

    def cut_noise(self, count: int, mel_frames: int, rng: np.random.Generator) -> Floats:
        """Cut `count` random stretches of noise, [B, M, mel_frames]."""
        clips = rng.integers(len(self._noises), size=count)
        starts = rng.integers(self._noises.shape[2] - mel_frames, size=count)
        cuts = [self._noises[c, :, s : s + mel_frames] for c, s in zip(clips, starts, strict=True)]
        return np.stack(cuts).astype(np.float32)


def _digest(config: AudioEncoderConfig) -> str:
    """Name the front end by the numbers that it depends on."""
    names = ("window_samples", "mels", "lowest_hz", "highest_hz")
    numbers = {name: dataclasses.asdict(config)[name] for name in names}
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:8]


def _kept(path: Path, digest: str, front: LogMel, samples: NDArray[np.int16]) -> HalfFloats:
    """Give log-mels [K, V, M, J] of samples [K, V, n], from the file beside `path` or into it."""
    file = path.with_suffix(f".{digest}.npy")
    if not file.exists():
        mels = np.stack([_mels(front, samples[:, v]) for v in range(samples.shape[1])], axis=1)
        unfinished = file.with_name(f".{os.getpid()}.{file.name}")
        np.save(unfinished, mels)
        unfinished.replace(file)
    return np.asarray(np.load(file, mmap_mode="r"))


@torch.no_grad()
def _mels(front: LogMel, samples: NDArray[np.int16]) -> HalfFloats:
    pieces: Sequence[NDArray[np.int16]] = np.array_split(
        samples, max(1, len(samples) // TRACKS_AT_ONCE)
    )
    out = []
    for piece in pieces:
        wave = torch.from_numpy(piece.astype(np.float32) / 32767)
        mels, _ = front(wave, wave.new_zeros(len(piece), front.past_samples))
        out.append(mels.numpy().astype(np.float16))
    return np.concatenate(out)
