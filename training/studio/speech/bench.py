"""`parley bench speech`: how lips follow the voices of the studio, and what a clip costs."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from training.studio.acting.dialogue import Kind, Role, write_dialogue
from training.studio.acting.performance import perform
from training.studio.acting.visemes import lip_opening
from training.studio.performance_data import Performance, Speech
from training.studio.speech.alignment import Aligner
from training.studio.speech.catalogue import OPENERS, open_catalogue
from training.studio.speech.flite import FliteSource
from training.studio.speech.loudness import frame_rms
from training.studio.speech.phones import SILENCE
from training.studio.speech.sentences import Split, draw_sentence
from training.studio.speech.voices import MissingVoiceError, SpeechError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

CLIP_SECONDS = 8.0
LAGS = range(-2, 3)
TOPICS = ("meeting", "service", "story", "small talk")
CLOSE_SECONDS = 0.04


@dataclass(frozen=True, slots=True)
class BenchSeat:
    """One of two people side by side."""

    eyes_m: tuple[float, float, float]
    yaw_rad: float


SEATS = (BenchSeat((-0.35, 0.0, -1.2), 0.25), BenchSeat((0.35, 0.0, -1.2), -0.25))


@app.command()
def main(
    clips: Annotated[int, typer.Option(help="Two-person clips of 8 s for each source.")] = 8,
    sentences: Annotated[int, typer.Option(help="Sentences for each voice of flite.")] = 20,
) -> None:
    """Print both tables of docs/studio-speech.md."""
    typer.echo("| Voices | r at lag -2 -1 0 +1 +2 frames | Hours of clips per CPU hour |")
    typer.echo("|---|---|---|")
    for name in (*OPENERS, None):
        split: Split = "test" if name == "kokoro" else "train"
        try:
            typer.echo(_row(name, split, clips))
        except MissingVoiceError as missing:
            typer.echo(f"| {name} | not installed: {missing} | |")
    typer.echo("\n| Voice | Aligned | Median error | Within 40 ms |\n|---|---|---|---|")
    for row in _alignment_rows(sentences):
        typer.echo(row)


def lag_correlations(people: list[Performance]) -> list[float]:
    """Correlate lip opening with loudness while people speak; a positive lag: lips come later."""
    margin = max(LAGS)
    out: list[float] = []
    for lag in LAGS:
        lips: list[NDArray[np.floating]] = []
        levels: list[NDArray[np.floating]] = []
        for person in people:
            inside = slice(margin, person.frames - margin)
            moved = slice(margin + lag, person.frames - margin + lag)
            speaks = person.is_speaking[inside]
            level = frame_rms(person.samples, person.frames)[inside][speaks]
            if len(level) and level.std() > 0:
                lips.append(lip_opening(person.curves)[moved][speaks])
                levels.append(level / level.std())
        out.append(float(np.corrcoef(np.concatenate(lips), np.concatenate(levels))[0, 1]))
    return out


def _row(name: str | None, split: Split, clips: int) -> str:
    catalogue = open_catalogue(split, None if name is None else [name])
    kind = Kind.CONVERSATION if name else None
    people: list[Performance] = []
    before = _cpu_seconds()
    for seed in range(clips):
        rng = np.random.default_rng(seed)
        dialogue = write_dialogue([Role(), Role()], CLIP_SECONDS, rng, catalogue, kind)
        people += perform(dialogue, SEATS, rng)
    rate = clips * CLIP_SECONDS / (_cpu_seconds() - before)
    catalogue.close()
    lags = " ".join(f"{r:.2f}" for r in lag_correlations(people))
    return f"| {name or 'all training voices'} | {lags} | {rate:.1f} |"


def _alignment_rows(sentences: int) -> Iterator[str]:
    try:
        source, aligner = FliteSource(), Aligner()
    except MissingVoiceError as missing:
        yield f"| | not installed: {missing} | | |"
        return
    rng = np.random.default_rng(0)
    texts = [draw_sentence(rng, TOPICS[i % len(TOPICS)], "train") for i in range(sentences)]
    for voice in source.voices:
        errors: list[float] = []
        aligned = 0
        for text in texts:
            found = _errors(aligner, source.speak(text, voice, 1.0))
            aligned += found is not None
            errors += found or []
        median, close = np.median(errors) * 1000, np.mean(np.array(errors) <= CLOSE_SECONDS)
        yield f"| {voice.name} | {aligned} of {sentences} | {median:.1f} ms | {close:.1%} |"


def _errors(aligner: Aligner, speech: Speech) -> list[float] | None:
    """Give errors in seconds: None when nothing was found, none when pronunciations differ."""
    try:
        phones = aligner.align(speech.samples, speech.text)
    except SpeechError:
        return None
    found = [phone.start for phone in phones if phone.symbol != SILENCE]
    true = [phone.start for phone in speech.phones if phone.symbol != SILENCE]
    if len(found) != len(true):
        return []
    return [abs(a - b) for a, b in zip(found, true, strict=True)]


def _cpu_seconds() -> float:
    """Count the processor time of this process and of the programs it ran."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
