"""Voices and seats for tests that need no program and no package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.studio.performance_data import SAMPLE_RATE, Phone, Speech
from training.studio.speech.sentences import Split
from training.studio.speech.voices import Catalogue, Gender, Voice

SOUNDS = ("M", "AA", "S", "IY", "B", "OW", "T", "EH")
PHONE_SECONDS = 0.12


def tone(seconds: float, pitch_hz: float = 140.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * pitch_hz * time)).astype(np.float32)


def phones_of(*symbols: str, seconds: float = PHONE_SECONDS) -> tuple[Phone, ...]:
    return tuple(
        Phone(start=index * seconds, end=(index + 1) * seconds, symbol=symbol)
        for index, symbol in enumerate(symbols)
    )


class MadeUpSource:
    """Hums one phone for each of a text's first letters."""

    def __init__(self) -> None:
        self.name = "made up"
        self.version = "1"
        genders: dict[str, Gender] = {"ann": "female", "bea": "female", "carl": "male"}
        self.voices = tuple(
            Voice(
                name=f"made up/{name}",
                source=self.name,
                gender=gender,
                language="en",
                is_held_out=name == "bea",
                share=1.0,
            )
            for name, gender in genders.items()
        )

    def speak(self, text: str, voice: Voice, speed: float) -> Speech:
        count = min(max(len(text) // 2, 4), 24)
        seconds = PHONE_SECONDS / speed
        symbols = [SOUNDS[ord(letter) % len(SOUNDS)] for letter in (text * 2)[:count]]
        return Speech(
            samples=tone(count * seconds),
            phones=phones_of(*symbols, seconds=seconds),
            text=text,
            voice=voice.name,
            source=self.name,
        )

    def close(self) -> None:
        return None


def made_up_catalogue(split: Split = "train") -> Catalogue:
    return Catalogue([MadeUpSource()], split)


@dataclass(frozen=True)
class MadeUpSeat:
    eyes_m: tuple[float, float, float]
    yaw_rad: float


SEATS = (
    MadeUpSeat((-0.4, 0.0, -1.2), 0.25),
    MadeUpSeat((0.0, 0.05, -1.3), 0.0),
    MadeUpSeat((0.4, 0.0, -1.2), -0.25),
    MadeUpSeat((0.8, 0.0, -1.2), -0.25),
)
