"""espeak-ng: formant synthesis of many languages, with its own exact phone times.

The library comes from PyPI `espeakng-loader` (GPL-3 code, loaded here and not linked or shipped).
It keeps noise and oscillator state between utterances in static variables that no call resets, so
the same text would sound different the second time. Each utterance therefore loads the library
afresh, seeds it and unloads it: 10 ms, and the same bytes every time.
"""

from __future__ import annotations

import _ctypes
import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from training.studio.performance_data import Phone, Speech
from training.studio.speech.phones import SILENCE, symbol_of_ipa
from training.studio.speech.voices import Gender, MissingVoiceError, SpeechError, Voice
from training.studio.speech.waveform import at_sample_rate

SHARE = 35.0
WORDS_PER_MINUTE = 165
PITCH = 50  # of 0..99, espeak's usual

LANGUAGES = (
    *("en-us", "en", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan"),
    *("de", "es", "es-419", "fr", "it", "pt", "pl"),
)
VARIANTS: dict[str, Gender] = {
    **dict.fromkeys(("m1", "m2", "m3", "m4", "m5", "m6", "m7"), "male"),
    **dict.fromkeys(("f1", "f2", "f3", "f4", "f5"), "female"),
}
HELD_OUT_VARIANTS = frozenset({"f3", "m3"})

# espeak-ng's speak_lib.h
_OUTPUT_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 0b11
_DONT_EXIT = 0x8000
_RATE, _PITCH_PARAMETER = 1, 3
_EVENT_PHONEME, _EVENT_END, _EVENT_TERMINATED = 7, 5, 6
_UTF8 = 1
_IPA = 0b10

_lock = threading.Lock()  # the library has one state per process


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Mark(NamedTuple):
    seconds: float
    ipa: str  # empty for silence


class EspeakSource:
    """Every language and variant of the list above."""

    def __init__(self) -> None:
        """Find the library and its data.

        Raises:
            MissingVoiceError: when the package is not installed.
        """
        try:
            import espeakng_loader  # an optional package of the studio
        except ImportError as error:
            raise MissingVoiceError("espeak-ng: pip install espeakng-loader") from error
        self.name = "espeak"
        self._library = str(espeakng_loader.get_library_path())
        self._data = str(espeakng_loader.get_data_path()).encode()
        self.voices = tuple(_voices())
        with self._fresh() as (library, _):
            library.espeak_Info.restype = ctypes.c_char_p
            self.version = library.espeak_Info(None).decode()

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        chunks: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        marks: list[_Mark] = []
        with self._fresh() as (library, rate_hz):
            callback = _Callback(_listener(chunks, marks))
            library.espeak_SetSynthCallback(callback)
            self._set_voice(library, voice.name.partition("/")[2])
            library.espeak_SetParameter(_RATE, round(WORDS_PER_MINUTE * speed), 0)
            library.espeak_SetParameter(_PITCH_PARAMETER, PITCH, 0)
            raw = text.encode() + b"\0"
            library.espeak_Synth(raw, len(raw), 0, 1, 0, _UTF8, None, None)
            library.espeak_Synchronize()
        if not chunks:
            raise SpeechError(f"espeak-ng made no sound of {text!r} with voice {voice.name}")
        samples = (np.concatenate(chunks) / 32768).astype(np.float32)
        return Speech(
            samples=at_sample_rate(samples, rate_hz),
            phones=_phones(marks, len(samples) / rate_hz),
            text=text,
            voice=voice.name,
            source=self.name,
        )

    def ipa(self, text: str, voice_name: str) -> str:
        """Transcribe a text, one clause after another separated by spaces."""
        clauses: list[str] = []
        with self._fresh() as (library, _):
            self._set_voice(library, voice_name)
            library.espeak_TextToPhonemes.restype = ctypes.c_char_p
            rest = ctypes.c_char_p(text.encode())
            while rest.value:
                spoken = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA)
                clauses.append((spoken or b"").decode())
        return " ".join(clause.strip() for clause in clauses if clause.strip())

    def close(self) -> None:
        return None

    @contextmanager
    def _fresh(self) -> Iterator[tuple[ctypes.CDLL, int]]:
        """Load the library with all its static state as it is at the start of a process."""
        with _lock:
            library = ctypes.CDLL(self._library)
            try:
                options = _PHONEME_EVENTS_IN_IPA | _DONT_EXIT
                rate_hz = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, self._data, options)
                if rate_hz <= 0:
                    raise SpeechError(f"espeak-ng cannot read its data in {self._data.decode()}")
                library.espeak_ng_SetRandSeed(ctypes.c_long(1))
                yield library, rate_hz
                library.espeak_Terminate()
            finally:
                # ctypes itself never unloads, and only unloading resets the static state.
                _ctypes.dlclose(library._handle)

    @staticmethod
    def _set_voice(library: ctypes.CDLL, name: str) -> None:
        if library.espeak_SetVoiceByName(name.encode()) != 0:
            raise SpeechError(f"espeak-ng has no voice {name!r}")


def _voices() -> Iterator[Voice]:
    for language in LANGUAGES:
        for variant, gender in VARIANTS.items():
            yield Voice(
                name=f"espeak/{language}+{variant}",
                source="espeak",
                gender=gender,
                language=language[:2],
                is_held_out=variant in HELD_OUT_VARIANTS,
                share=SHARE / len(LANGUAGES) / len(VARIANTS),
            )


def _listener(
    chunks: list[np.ndarray[tuple[int], np.dtype[np.int16]]], marks: list[_Mark]
) -> Callable[[object, int, object], int]:
    """Make the callback that gathers what the library hands over: it must copy, not keep."""

    def listen(samples: object, count: int, events: object) -> int:
        if samples and count > 0:
            view = np.ctypeslib.as_array(samples, (count,))
            chunks.append(view.copy())
        index = 0
        while (event := events[index]).type != 0:  # type: ignore[index]  # ends with type 0
            seconds = event.audio_position / 1000
            if event.type == _EVENT_PHONEME:
                marks.append(_Mark(seconds, event.string.decode("utf-8", "ignore")))
            elif event.type in (_EVENT_END, _EVENT_TERMINATED):
                marks.append(_Mark(seconds, ""))
            index += 1
        return 0

    return listen


def _phones(marks: list[_Mark], seconds: float) -> tuple[Phone, ...]:
    """Turn marks into phones that follow one another.

    A liquid or nasal that ends a clause is reported at the end of its vowel, with no length: it
    gets the vowel's last third.
    """
    ordered = sorted(marks, key=lambda mark: mark.seconds)
    ends = [mark.seconds for mark in ordered[1:]] + [seconds]
    phones: list[Phone] = []
    for mark, end in zip(ordered, ends, strict=True):
        symbol, start = symbol_of_ipa(mark.ipa), mark.seconds
        if end <= start:
            if symbol == SILENCE or not phones or phones[-1].symbol == SILENCE:
                continue
            before = phones.pop()
            start, end = before.end - (before.end - before.start) / 3, before.end
            phones.append(Phone(start=before.start, end=start, symbol=before.symbol))
        phones.append(Phone(start=start, end=end, symbol=symbol))
    return tuple(phones)
