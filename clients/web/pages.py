"""Where the web pages lie, for whoever serves them: entry points of the group `parley.pages`."""

from __future__ import annotations

from pathlib import Path

MEETING = Path(__file__).parent / "meeting"
BOT = Path(__file__).parent / "bot"
BENCH = Path(__file__).parent / "bench"
