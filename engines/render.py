"""A film of a conversation, made the way a live room is: pushed voice by voice, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.manifest import FPS, SAMPLES_PER_FRAME
from engines.stream import AvatarStream
from engines.video_file import VideoFile

Voices = Mapping[int, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """From when on a prompt holds."""

    seconds: float
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a film is."""

    seconds_made: float
    seconds_in_all: float
    seconds_spent: float

    @property
    def real_time_factor(self) -> float:
        """Seconds spent for a second of film; below 1 is faster than real time."""
        return self.seconds_spent / max(self.seconds_made, 1e-9)

    @property
    def seconds_left(self) -> float:
        return (self.seconds_in_all - self.seconds_made) * self.real_time_factor


def film(
    stream: AvatarStream,
    voices: Voices,
    out: VideoFile,
    *,
    cues: Sequence[Cue] = (),
    steps: int | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Film the voices to the end of the longest, each in its seat; other seats stay silent.

    Args:
        stream: a room in which nothing was made yet.
        voices: by seat.
        out: gets pictures and sound, and is finished.
        cues: other prompts, each from the chunk on in which its time is, or the next.
        steps: denoising steps; None for the bundle's default.
        report: hears after every chunk.

    Raises:
        InputError: when there is no voice or no such seat.
        EngineError: when the runtime fails.
    """
    if not voices:
        raise InputError("a film needs a voice; give --audio SEAT=FILE")
    for seat in voices:
        stream.join(seat)
    frames_in_all = -(-max(len(each) for each in voices.values()) // SAMPLES_PER_FRAME)
    seconds = frames_in_all / FPS
    began = time.monotonic()
    waiting = sorted(cues, key=lambda cue: cue.seconds)
    pushed, progress = 0, Progress(seconds_made=0, seconds_in_all=seconds, seconds_spent=0)
    for first in range(0, frames_in_all, stream.frames_per_chunk):
        reach = first * SAMPLES_PER_FRAME + stream.chunk_samples + stream.look_ahead_samples
        for seat, samples in voices.items():
            stream.push(seat, samples[pushed:reach])
        pushed = reach
        while waiting and waiting[0].seconds <= stream.position_seconds:
            stream.set_prompt(waiting.pop(0).prompt)
        chunk = stream.make_chunk(steps)
        kept = min(stream.frames_per_chunk, frames_in_all - first)
        out.write(chunk.frames[:kept], chunk.audio[:, : kept * SAMPLES_PER_FRAME])
        progress = Progress(
            seconds_made=min(stream.position_seconds, seconds),
            seconds_in_all=seconds,
            seconds_spent=time.monotonic() - began,
        )
        report(progress)
    out.finish()
    return progress
