"""Log lines for machines: one JSON object each, with the room and the session where known."""

from __future__ import annotations

import json
import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal

EXTRAS = ("room", "session", "seat")
TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key in EXTRAS if (value := getattr(record, key, None))})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Writes a record for people, the room and the session last."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def format(self, record: logging.LogRecord) -> str:
        known = [f"{key}={value}" for key in EXTRAS if (value := getattr(record, key, None))]
        return " ".join([super().format(record), *known])


class About(logging.LoggerAdapter[logging.Logger]):
    """A logger of one room or session: every line names it."""

    # Any: what logging itself passes on.
    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs


def start_logging(level: str, form: Literal["text", "json"]) -> None:
    """Send every log line of this process to stderr. For the command alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("aioice", "aiortc"):  # a line for every candidate pair
        logging.getLogger(name).setLevel(logging.WARNING)
