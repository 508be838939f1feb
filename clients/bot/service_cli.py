"""Run the customer-service bot: `python -m clients.bot.service_cli --room ROOM`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import typer

from clients.bot.chat import ChatEndpoint
from clients.bot.errors import BotError
from clients.bot.room_events import room_events
from clients.bot.scripted_chat import ScriptedChat, chat_served
from clients.bot.service_bot import ServiceBot, Turn
from clients.bot.session import BotSession, BotSettings
from clients.bot.speech.source import speech_source, wire_rate


def serve(  # noqa: PLR0913  # each is an option of the command
    room: Annotated[str, typer.Option(help="The room's identifier.")],
    *,
    seat: Annotated[int, typer.Option(help="The bot's.")] = 0,
    visitor: Annotated[int, typer.Option(help="The visitor's seat.")] = 1,
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8080",
    token: Annotated[str, typer.Option(envvar="PARLEY_TOKEN", help="See `parley token`.")] = "",
    chat: Annotated[str, typer.Option(help="Up to /v1. Empty: a scripted one.")] = "",
    model: Annotated[str, typer.Option(help="Of the chat.")] = "scripted",
    key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="Of the chat.")] = "",
    tts: Annotated[str, typer.Option(help="See `parley say --help`.")] = "espeak",
) -> None:
    """Answer whoever speaks into the visitor's seat, until the room ends or Ctrl-C."""

    async def run() -> None:
        voice = speech_source(tts)
        settings = BotSettings(sample_rate=wire_rate(voice))
        async with contextlib.AsyncExitStack() as stack:
            where = chat or await stack.enter_async_context(chat_served(ScriptedChat()))
            bot = await stack.enter_async_context(
                BotSession(url, room, seat, token=token or None, settings=settings)
            )
            endpoint = ChatEndpoint(url=where, model=model, key=key)
            service = ServiceBot(bot, voice, endpoint, told=_show)
            typer.echo(f"ready at seat {seat}; speak as seat {visitor}")
            await service.run(room_events(url, room, token=token or None), visitor)

    try:
        asyncio.run(run())
    except BotError as error:
        typer.echo(f"service bot: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("goodbye")


def _show(turn: Turn) -> None:
    typer.echo(f"{' '.join(turn.said) or '(nothing)'}\n  {turn}")


if __name__ == "__main__":
    typer.run(serve)
