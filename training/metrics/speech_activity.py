"""When does a voice speak: silero-vad, and frames of video from its answers.

Shape letters: T video frames, n samples at 16 kHz, W windows of 512 samples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.metrics.judge_models import SPEECH_ACTIVITY, model_path
from training.studio.performance_data import SAMPLE_RATE

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64  # of the window before, which the network sees again
BLOCK_WINDOWS = 512  # per call of the network
STATE_SHAPE = (1, 1, 128)
SPEECH = 0.5  # probability
PAUSE_S = 0.2  # a shorter one belongs to speech
CLICK_S = 0.1  # shorter speech is none


class SpeechDetector:
    """Gives the probability of speech, window by window.

    Source: snakers4/silero-vad 6.2.3, silero_vad_16k_sequence.onnx (MIT).
    """

    def __init__(self, assets: Path | None = None) -> None:
        import onnxruntime as ort  # heavy: paid only by whoever listens

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        path = model_path(SPEECH_ACTIVITY, assets)
        self._session = ort.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, samples: Floats) -> Floats:
        """Judge samples [n]: [W], W = n / 512 rounded up; blocks for a hundredth of their time."""
        count = -(-len(samples) // WINDOW_SAMPLES)
        if not count:
            return np.zeros(0, np.float32)
        padded = np.zeros(CONTEXT_SAMPLES + count * WINDOW_SAMPLES, np.float32)
        padded[CONTEXT_SAMPLES : CONTEXT_SAMPLES + len(samples)] = samples
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, CONTEXT_SAMPLES + WINDOW_SAMPLES
        )[::WINDOW_SAMPLES]
        h, c = np.zeros(STATE_SHAPE, np.float32), np.zeros(STATE_SHAPE, np.float32)
        parts = []
        for start in range(0, count, BLOCK_WINDOWS):
            feeds = {"input": np.ascontiguousarray(windows[start : start + BLOCK_WINDOWS])}
            found, h, c = self._session.run(None, feeds | {"h": h, "c": c})
            parts.append(np.asarray(found, np.float32))
        return np.concatenate(parts)


def speaking_windows(probabilities: Floats) -> Flags:
    """Turn probabilities [W] into speech without short pauses and clicks: [W]."""
    window_s = WINDOW_SAMPLES / SAMPLE_RATE
    is_speech = probabilities > SPEECH
    is_speech = _without_short(is_speech, False, PAUSE_S / window_s)
    return _without_short(is_speech, True, CLICK_S / window_s)


def speaking_frames(is_speech: Flags, frames: int, fps: float) -> Flags:
    """Say for each video frame whether speech [W] covers its middle: [T]; False beyond its end."""
    middles_s = (np.arange(frames) + 0.5) / fps
    window = (middles_s * SAMPLE_RATE / WINDOW_SAMPLES).astype(np.int64)
    padded = np.append(is_speech, False)
    spoken: Flags = padded[np.minimum(window, len(is_speech))]
    return spoken


def intervals(flags: Flags, rate_hz: float) -> list[tuple[float, float]]:
    """Give the runs of True in flags as (start, end) in seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(float(a / rate_hz), float(b / rate_hz)) for a, b in edges.reshape(-1, 2)]


def _without_short(flags: Flags, value: bool, shortest: float) -> Flags:
    """Flip runs of `value` that are shorter; runs at the ends of False stay as they are."""
    out = flags.copy()
    for start, end in intervals(flags == value, 1.0):
        is_end = start == 0 or end == len(flags)
        if end - start < shortest and (value or not is_end):
            out[int(start) : int(end)] = not value
    return out
