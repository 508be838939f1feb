"""Text to speech as bots use it: a voice by name, and speech as it comes.

A voice of your own is any function `(voice: str) -> SpeechSource`, named as `module:function`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import Protocol

import numpy as np
import soxr

from clients.bot.errors import SpeechError
from clients.bot.pcm import RATES, check_rate

# Modules are imported when they are asked for: each needs a package of its own.
SOURCES = {
    "espeak": ("clients.bot.speech.espeak:EspeakSpeech", "bot"),
    "piper": ("clients.bot.speech.piper:PiperSpeech", "bot,voices"),
    "kokoro": ("clients.bot.speech.kokoro:KokoroSpeech", "bot,voices"),
    "openai": ("clients.bot.speech.endpoint:EndpointSpeech", "bot"),
}


class SpeechSource(Protocol):
    """One voice. `speak` may block, and is called from one thread at a time."""

    sample_rate: int

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield 16-bit mono samples as soon as there are some.

        Raises:
            SpeechError: when the text cannot be said.
        """
        ...


def speech_source(name: str = "espeak", voice: str = "") -> SpeechSource:
    """Load a voice: one of `SOURCES`, or `module:function`; an empty voice is the usual one.

    Raises:
        SpeechError: when there is none of that name, or a package is missing.
    """
    path, extra = SOURCES.get(name, (name, ""))
    module, colon, function = path.partition(":")
    if not colon:
        raise SpeechError(f"speech is {', '.join(SOURCES)} or module:function, got {name!r}")
    try:
        make: Callable[[str], SpeechSource] = getattr(import_module(module), function)
        return make(voice)
    except ModuleNotFoundError as error:
        advice = f"pip install 'parley-avatar[{extra}]'" if extra else f"is {module} installed?"
        raise SpeechError(f"{name} needs the package {error.name}: {advice}") from error
    except AttributeError as error:
        raise SpeechError(f"{module} has no {function}") from error


def wire_rate(source: SpeechSource) -> int:
    """Give the lowest rate of a seat that loses nothing of a voice, or the highest."""
    return next((rate for rate in RATES if rate >= source.sample_rate), RATES[-1])


async def spoken(source: SpeechSource, text: str, rate: int) -> AsyncIterator[bytes]:
    """Yield a text's speech at a rate that a seat takes; synthesis runs on a thread.

    Only one piece is made ahead: an interrupted bot stops synthesizing.

    Raises:
        SpeechError: when the text cannot be said.
    """
    chunks = resampled(source.speak(text), source.sample_rate, check_rate(rate))
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def resampled(chunks: Iterator[bytes], rate: int, wanted: int) -> Iterator[bytes]:
    """Bring 16-bit mono samples from one rate to another, piece by piece."""
    if rate == wanted:
        yield from chunks
        return
    stream = soxr.ResampleStream(rate, wanted, 1, dtype="int16")
    for chunk in chunks:
        yield stream.resample_chunk(np.frombuffer(chunk, "<i2")).astype("<i2").tobytes()
    yield stream.resample_chunk(np.zeros(0, np.int16), last=True).astype("<i2").tobytes()
