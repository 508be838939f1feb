"""Rotary tables of a chunk, computed on the host for any position of an endless stream.

Angles are float64 until their cosine: float32 would lose whole degrees after an hour of latent
frames. Channel pairs are ordered time, height, width.

Shape letters: F latent frames, N tokens, D head width, h and w token grid.
Source: Wan2.1 technical report (arXiv 2503.20314), axes of the head; a sink without time as in
StreamingLLM-like streams whose positions count without limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.manifest import Rotation


class Tables(NamedTuple):
    """Cosines and sines [N, D / 2], float32."""

    cos: NDArray[np.float32]
    sin: NDArray[np.float32]


def stream_tables(rule: Rotation, positions: Sequence[int], h: int, w: int) -> Tables:
    """Give the tables of latent frames that stand at `positions`, tokens in order [F, h, w]."""
    return _tables(rule, _angles(positions, rule.time_channels, rule.theta), h, w)


def sink_tables(rule: Rotation, frames: int, h: int, w: int) -> Tables:
    """Give the tables of the sink, the same for each of `frames` latent frames.

    A timeless sink has cos = sin = 0 in its time channels: they add nothing to any product with a
    query, at whatever distance.
    """
    tables = stream_tables(rule, [0] * frames, h, w)
    if rule.is_sink_timeless:
        pairs = rule.time_channels // 2
        tables.cos[:, :pairs] = 0
        tables.sin[:, :pairs] = 0
    return tables


def shift_table(rule: Rotation, frames: int) -> Tables:
    """Give the table [1, D / 2] that moves an already rotated key by `frames` latent frames.

    Rotations add, so moving a key in time costs one more rotation.
    """
    time = _angles([frames], rule.time_channels, rule.theta)
    still = np.zeros((1, (rule.height_channels + rule.width_channels) // 2))
    angles = np.concatenate([time, still], axis=1)
    return Tables(np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32))


def turn(keys: NDArray[np.float32], table: Tables) -> NDArray[np.float32]:
    """Turn channel pairs (2i, 2i + 1) of keys [..., D]."""
    even, odd = keys[..., 0::2], keys[..., 1::2]
    turned = np.empty_like(keys)
    turned[..., 0::2] = even * table.cos - odd * table.sin
    turned[..., 1::2] = even * table.sin + odd * table.cos
    return turned


def _tables(rule: Rotation, time: NDArray[np.float64], h: int, w: int) -> Tables:
    rows = _angles(range(h), rule.height_channels, rule.theta)
    columns = _angles(range(w), rule.width_channels, rule.theta)
    grid = (len(time), h, w)
    angles = np.concatenate(
        [
            np.broadcast_to(time[:, None, None], (*grid, time.shape[1])),
            np.broadcast_to(rows[None, :, None], (*grid, rows.shape[1])),
            np.broadcast_to(columns[None, None], (*grid, columns.shape[1])),
        ],
        axis=-1,
    ).reshape(len(time) * h * w, -1)
    return Tables(np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32))


def _angles(positions: Sequence[int], channels: int, theta: float) -> NDArray[np.float64]:
    """Angles [len(positions), channels / 2] of one axis."""
    exponents = np.arange(0, channels, 2, dtype=np.float64) / max(channels, 1)
    return np.asarray(positions, np.float64)[:, None] * theta**-exponents
