"""Let a person of a room say a text or a sound file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import typer

from clients.bot.audio_file import read_file
from clients.bot.errors import BotError, InputError
from clients.bot.ledger import Segment, Spoken
from clients.bot.session import BotSession, BotSettings
from clients.bot.speech.source import speech_source, spoken, wire_rate

FILE_RATE = 48_000
FAILED, USAGE = 1, 2
SOON = 5.0  # seconds until somebody who waits is told why


def say(  # noqa: PLR0913  # each is an option of the command
    room: Annotated[str, typer.Option(help="The room's identifier.")],
    text: Annotated[str, typer.Argument(help="What to say.")] = "",
    *,
    seat: Annotated[int, typer.Option(help="Who says it; 0 is the leftmost person.")] = 0,
    file: Annotated[Path | None, typer.Option(help="Say this sound instead.")] = None,
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8080",
    token: Annotated[str, typer.Option(envvar="PARLEY_TOKEN", help="See `parley token`.")] = "",
    tts: Annotated[
        str, typer.Option(help="espeak, piper, kokoro, openai, or module:function.")
    ] = "espeak",
    voice: Annotated[str, typer.Option(help="A voice of it, such as en-us+m3.")] = "",
) -> None:
    """Let a person of a room say a text or a sound file, and wait until it was said."""
    if bool(text) == (file is not None):
        typer.echo("say what: a text, or --file, and not both", err=True)
        raise typer.Exit(USAGE)
    try:
        rate, speech = _speech(text, file, tts, voice)
        settings = BotSettings(sample_rate=rate)
        session = BotSession(url, room, seat, token=token or None, settings=settings)
        said = asyncio.run(_say(session, speech))
    except BotError as error:
        typer.echo(f"parley say: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as stopped:  # leaving the seat drops what is not said
        raise typer.Exit(FAILED) from stopped
    if said is None:
        typer.echo("there was nothing to say", err=True)
        raise typer.Exit(FAILED)
    typer.echo(f"said {said.position_ms / 1000:.2f} s")
    if said.is_interrupted:
        typer.echo("and was interrupted", err=True)
        raise typer.Exit(FAILED)


def _speech(text: str, file: Path | None, tts: str, voice: str) -> tuple[int, AsyncIterator[bytes]]:
    """Give a sample rate, and speech at it."""
    if file is not None:
        if not file.is_file():
            raise InputError(f"there is no file {file}")
        return FILE_RATE, _from(read_file(file, FILE_RATE))
    source = speech_source(tts, voice)
    rate = wire_rate(source)
    return rate, spoken(source, text, rate)


async def _from(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


async def _say(session: BotSession, speech: AsyncIterator[bytes]) -> Spoken | None:
    async with session:
        segment = await session.stream(speech)
        return None if segment is None else await _wait(segment)


async def _wait(segment: Segment) -> Spoken:
    """Wait for the end; say so when it does not begin."""
    over = asyncio.ensure_future(segment.spoken())
    await asyncio.wait([over], timeout=SOON)
    if not over.done() and segment.started_at is None:
        typer.echo("nobody watches the room: it goes on when somebody does", err=True)
    return await over
