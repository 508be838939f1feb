"""The bot SDK: a seat for whoever speaks by program. Needs websockets and numpy alone.

`clients.bot.speech` makes speech from text; docs/bots.md begins with a bot in ten lines.
"""

from __future__ import annotations

from clients.bot.backoff import Backoff
from clients.bot.errors import BotError, DisconnectedError, InputError, RefusedError, SpeechError
from clients.bot.ledger import Segment, Spoken
from clients.bot.session import BotSession, BotSettings
from clients.bot.sync_session import SyncBotSession

__all__ = [
    "Backoff",
    "BotError",
    "BotSession",
    "BotSettings",
    "DisconnectedError",
    "InputError",
    "RefusedError",
    "Segment",
    "SpeechError",
    "Spoken",
    "SyncBotSession",
]
