"""How well an encoder hears held-out voices: lip gap, curves, closures, silence, noise, loudness.

Everything is measured on waveforms through the whole network, as a stream would hear them. Shape
letters: K tracks, n samples, T video frames.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from models.studio.audio_config import FRAME_SAMPLES
from models.studio.audio_encoder import AudioEncoder
from training.stages.audio.lip_gap import GAP_UNIT_MM
from training.stages.audio.track_folder import Shard, TrackFolder
from training.stages.audio.tracks import PHONE_NAMES
from training.studio.performance_data import Floats
from training.studio.speech.phones import BILABIALS

LAGS = range(-3, 4)  # frames; positive: the prediction comes later than the truth
GAINS_DB = (-20.0, -10.0, 6.0)
SHUT_MM = 1.5  # beyond the gap at rest: lips that look shut
MOVING = 0.01  # standard deviation of a curve that counts as active
EDGE = 12  # frames left out at both ends of a track when lags are tried
REST_FRAMES = 8  # a silence counts from this many frames after speech on, to as many before it
TRACKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Held-out sounds."""

    test: Shard
    noises: NDArray[np.int16]  # [K, n]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was measured; r is the mean over tracks of Pearson's r within a track."""

    gap_r: float
    gap_r_rooms: float  # of the same tracks through rooms and codecs
    gap_r_by_source: dict[str, float]
    gap_r_by_gain: dict[str, float]
    best_lag_frames: int
    curves_r: float  # mean over the active curves, each over all tracks
    active_curves: int
    gap_mae_mm: float
    relative_error: float  # of the gap, 1 is the best constant
    shut_share: float  # of P, B and M during which the lips come together
    shut_truth: float  # the same of the targets
    open_shut_share: float  # of frames open by 4 mm and more that are predicted shut
    silence_motion: float  # of the lips, relative to that in speech
    noise_motion: float  # in noise and music, likewise
    noise_gap_mm: float  # 95th percentile

    def numbers(self) -> dict[str, float]:
        """Flatten for the log."""
        flat: dict[str, float] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, dict):
                flat |= {f"{field.name}/{name}": float(each) for name, each in value.items()}
            else:
                flat[field.name] = float(value)
        return flat


def read_hearing(folder: TrackFolder) -> Hearing:
    """Read a folder's held-out tracks and noises."""
    return Hearing(test=folder.read(folder.test_path), noises=folder.read_noises("test"))


@torch.no_grad()
def hear(encoder: AudioEncoder, samples: NDArray[np.floating]) -> Floats:
    """Give the curves [K, T, 53] of samples [K, n]; n is a multiple of 640.

    Silence of the length of the look-ahead is added, so that the last frames come out too.
    """
    out = []
    late = encoder.config.look_ahead_frames
    weight = encoder.to_features.weight
    for first in range(0, len(samples), TRACKS_AT_ONCE):
        piece = torch.from_numpy(np.asarray(samples[first : first + TRACKS_AT_ONCE], np.float32))
        padded = torch.nn.functional.pad(piece, (0, late * FRAME_SAMPLES)).to(weight)
        frames, _ = encoder(padded, encoder.zero_state(len(piece)))
        out.append(frames.curves[:, late:].float().cpu().numpy())
    return np.concatenate(out)


def measure_all(encoder: AudioEncoder, hearing: Hearing) -> Measures:
    """Measure an encoder on held-out sounds; about a second for each ten minutes of them."""
    test = hearing.test
    wave = test.samples.astype(np.float32) / 32767
    truth, said = test.targets.astype(np.float32), hear(encoder, wave[:, 0])
    gap, heard = truth[..., -1], said[..., -1]
    rs = track_rs(gap, heard)
    sources = np.array([voice.partition("/")[0] for voice in test.voices])
    is_active = truth[..., :-1].std(axis=(0, 1)) > MOVING
    noise_gap = hear(encoder, hearing.noises.astype(np.float32) / 32767)[:, EDGE:, -1]
    speech_motion, silence_motion = _motions(heard, test.phones)
    by_gain = {
        f"{gain:+.0f} dB": track_rs(gap, hear(encoder, wave[:, 0] * 10 ** (gain / 20))[..., -1])
        for gain in GAINS_DB
    }
    return Measures(
        gap_r=float(rs.mean()),
        gap_r_rooms=float(track_rs(gap, hear(encoder, wave[:, 1])[..., -1]).mean()),
        gap_r_by_source={name: float(rs[sources == name].mean()) for name in sorted(set(sources))},
        gap_r_by_gain={name: float(each.mean()) for name, each in by_gain.items()},
        best_lag_frames=best_lag(gap, heard),
        curves_r=float(_curve_rs(truth[..., :-1], said[..., :-1])[is_active].mean()),
        active_curves=int(is_active.sum()),
        gap_mae_mm=float(np.abs(gap - heard).mean() * GAP_UNIT_MM),
        relative_error=float(np.abs(gap - heard).mean() / np.abs(gap - np.median(gap)).mean()),
        shut_share=shut_share(heard, test.phones),
        shut_truth=shut_share(gap, test.phones),
        open_shut_share=float((heard[gap * GAP_UNIT_MM > 4] * GAP_UNIT_MM < SHUT_MM).mean()),
        silence_motion=silence_motion / speech_motion,
        noise_motion=float(np.abs(np.diff(noise_gap, axis=1)).mean()) / speech_motion,
        noise_gap_mm=float(np.percentile(noise_gap, 95)) * GAP_UNIT_MM,
    )


def correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Give Pearson's r of two sequences; 0 where one of them is constant."""
    a, b = (np.ravel(np.asarray(each, np.float64)) for each in (one, other))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def track_rs(truth: Floats, said: Floats) -> NDArray[np.float64]:
    """Give each track's r, [K]."""
    return np.array([correlation(a, b) for a, b in zip(truth, said, strict=True)])


def best_lag(truth: Floats, said: Floats) -> int:
    """Give the lag in frames at which prediction [K, T] and truth agree best; 0 is in time."""
    end = truth.shape[1] - EDGE
    rs = [track_rs(truth[:, EDGE:end], said[:, EDGE + k : end + k]).mean() for k in LAGS]
    return LAGS[int(np.argmax(rs))]


def shut_share(gap: Floats, phones: NDArray[np.uint8]) -> float:
    """Give the share of P, B and M, each with a frame to both sides, in which lips [K, T] meet.

    `gap` counts in units of 10 mm.
    """
    is_lip = np.isin(phones, [PHONE_NAMES.index(name) for name in BILABIALS])
    shut: list[bool] = []
    for lips, track in zip(is_lip, gap, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], lips.astype(np.int8), [0]])))
        shut += [
            bool(track[max(start - 1, 0) : end + 1].min() * GAP_UNIT_MM < SHUT_MM)
            for start, end in edges.reshape(-1, 2)
        ]
    return float(np.mean(shut)) if shut else float("nan")


def _curve_rs(truth: Floats, said: Floats) -> NDArray[np.float64]:
    return np.array([correlation(truth[..., k], said[..., k]) for k in range(truth.shape[-1])])


def _motions(gap: Floats, phones: NDArray[np.uint8]) -> tuple[float, float]:
    """Give the mean motion between frames in speech, and deep inside silences."""
    motion = np.abs(np.diff(gap, axis=1))
    is_speech = phones[:, 1:] > 0
    reach = np.ones(2 * REST_FRAMES + 1)
    near = np.array([np.convolve(each, reach, mode="same") > 0 for each in is_speech])
    rest = motion[:, EDGE:][~near[:, EDGE:]]
    return float(motion[is_speech].mean()), float(rest.mean()) if rest.size else float("nan")
