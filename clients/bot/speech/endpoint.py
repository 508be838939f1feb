"""A speech endpoint as OpenAI has it, `POST /v1/audio/speech`; many local servers speak it too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx2

from clients.bot.errors import SpeechError

URL, KEY, MODEL = "OPENAI_BASE_URL", "OPENAI_API_KEY", "PARLEY_SPEECH_MODEL"  # of the environment
SECONDS = 30.0
CHUNK_BYTES = 9_600  # 0.2 s


class EndpointSpeech:
    """One voice of an endpoint; 24 kHz samples are streamed as they are made."""

    sample_rate = 24_000  # what response_format pcm means there

    def __init__(self, voice: str = "", *, url: str = "", key: str = "", model: str = "") -> None:
        """Note where it is; what is left out comes from the environment.

        Raises:
            SpeechError: when nobody says where it is.
        """
        self.voice = voice or "alloy"
        self._model = model or os.environ.get(MODEL, "tts-1")
        self._url = (url or os.environ.get(URL, "")).rstrip("/")
        self._key = key or os.environ.get(KEY, "")
        if not self._url:
            raise SpeechError(f"say where the speech endpoint is: {URL}=https://host/v1")

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield samples as they come.

        Raises:
            SpeechError: when the endpoint refuses or breaks off.
        """
        wish = {
            "model": self._model,
            "voice": self.voice,
            "input": text,
            "response_format": "pcm",
        }
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        rest = b""
        try:
            with httpx2.stream(
                "POST", f"{self._url}/audio/speech", json=wish, headers=headers, timeout=SECONDS
            ) as answer:
                if answer.is_error:
                    answer.read()
                    raise SpeechError(f"{self._url} said {answer.status_code}: {answer.text[:300]}")
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    rest += chunk
                    whole = len(rest) // 2 * 2
                    yield rest[:whole]
                    rest = rest[whole:]
        except httpx2.HTTPError as error:
            raise SpeechError(f"{self._url} cannot be reached: {error}") from error
