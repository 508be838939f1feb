"""espeak-ng by PyPI `espeakng-loader`: a hundred languages, no model to fetch, hardly any wait.

The library is GPL-3: it is loaded at run time where its package is installed, and is no part of us.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

import espeakng_loader

from clients.bot.errors import SpeechError
from clients.bot.speech.sentences import sentences

VOICE = "en-us+f2"
WORDS_PER_MINUTE = 165

# espeak-ng's speak_lib.h
_SYNCHRONOUS, _STAYS_ALIVE = 2, 0x8000
_RATE = 1
_UTF8 = 1
_IPA = 2
_OK = 0

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Library:
    """The one espeak-ng of a process: it keeps its state in static variables."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._loaded: ctypes.CDLL | None = None
        self.rate_hz = 0

    def loaded(self) -> ctypes.CDLL:
        """Give the library; call it under `lock`."""
        if self._loaded is None:
            library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
            data = str(espeakng_loader.get_data_path()).encode()
            self.rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _STAYS_ALIVE)
            if self.rate_hz <= 0:
                raise SpeechError(f"espeak-ng cannot read its data in {data.decode()}")
            library.espeak_TextToPhonemes.restype = ctypes.c_char_p
            self._loaded = library
        return self._loaded

    def begin_again(self) -> None:
        """Forget that the library was set up: others in this process may have ended it."""
        with self.lock:
            self._loaded = None

    def choose(self, voice: str) -> ctypes.CDLL:
        library = self.loaded()
        if library.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise SpeechError(f"espeak-ng has no voice {voice!r}; such as en-us+f2, de+m3, fr")
        return library


_LIBRARY = _Library()


class EspeakSpeech:
    """One voice, such as en-us+f2: a language and a variant."""

    def __init__(self, voice: str = "") -> None:
        """Choose a voice.

        Raises:
            SpeechError: when there is none of that name.
        """
        self.voice = voice or VOICE
        with _LIBRARY.lock:
            _LIBRARY.choose(self.voice)
            self.sample_rate = _LIBRARY.rate_hz

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield a sentence's samples at a time.

        Raises:
            SpeechError: when there is nothing to say.
        """
        is_silent = True
        for sentence in sentences(text):
            samples = self._say(sentence)
            if not samples:
                _LIBRARY.begin_again()
                samples = self._say(sentence)
            is_silent = is_silent and not samples
            yield samples
        if is_silent:
            raise SpeechError(f"espeak-ng made no sound of {text!r}")

    def _say(self, sentence: str) -> bytes:
        made = bytearray()

        def keep(samples: object, count: int, _events: object) -> int:
            if samples and count > 0:
                made.extend(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]  # a pointer
            return 0

        callback = _Callback(keep)
        raw = sentence.encode() + b"\0"
        with _LIBRARY.lock:
            library = _LIBRARY.choose(self.voice)
            library.espeak_SetSynthCallback(callback)
            library.espeak_SetParameter(_RATE, WORDS_PER_MINUTE, 0)
            library.espeak_Synth(raw, len(raw), 0, 1, 0, _UTF8, None, None)
            library.espeak_Synchronize()
        return bytes(made)


def ipa(text: str, voice: str) -> str:
    """Transcribe a text for networks that read phonemes.

    Raises:
        SpeechError: when there is no such voice.
    """
    clauses: list[str] = []
    with _LIBRARY.lock:
        library = _LIBRARY.choose(voice)
        rest = ctypes.c_char_p(text.encode())
        while rest.value:
            clause = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA)
            clauses.append((clause or b"").decode().strip())
    return " ".join(filter(None, clauses))
