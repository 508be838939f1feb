"""Settings for commands: flags joined with the file and the environment, every fault printed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import PydanticUndefined

from streamer.settings import Settings, load_settings

USAGE_ERROR = 2
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="PARLEY_CONFIG", metavar="FILE.toml", help="Settings."),
]


class Row(NamedTuple):
    """One setting, explained."""

    name: str  # as limits.rooms
    default: str
    meaning: str


def read_settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Read settings, or print every fault and exit with 2."""
    try:
        return load_settings(config, flags)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in each["loc"])
            typer.echo(f"error: {name}: {each['msg']}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except tomllib.TOMLDecodeError as error:
        typer.echo(f"error: {config} is no TOML: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except OSError as error:
        typer.echo(f"error: cannot read {config}: {error.strerror}", err=True)
        raise typer.Exit(USAGE_ERROR) from error


def put(flags: dict[str, Any], name: str, value: object) -> None:
    """Set a flag by its dotted name."""
    *tables, last = name.split(".")
    for table in tables:
        inner = flags.setdefault(table, {})
        if not isinstance(inner, dict):
            raise typer.BadParameter(f"{name}: {table} is no table of settings")
        flags = inner
    flags[last] = value


def put_text(flags: dict[str, Any], assignment: str) -> None:
    """Set a flag from NAME=VALUE; the value is JSON where it can be, else text."""
    name, equals, text = assignment.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{assignment!r} is not NAME=VALUE, such as limits.rooms=2")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    put(flags, name.strip(), value)


def rows(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Row]:
    """Give every setting, in the order of the sections."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if field.default is PydanticUndefined or not isinstance(field.default, BaseModel):
                yield from rows(inner, f"{prefix}{name}.")
            else:
                yield from _filled(field.default, f"{prefix}{name}.", field.description)
        else:
            default = field.get_default(call_default_factory=True)
            yield Row(f"{prefix}{name}", _shown(default), field.description or "")


def _filled(section: BaseModel, prefix: str, about: str | None) -> Iterator[Row]:
    """Give the settings of a section with the defaults that it has here."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _filled(value, f"{prefix}{name}.", field.description)
        else:
            meaning = " ".join(filter(None, [about, field.description]))
            yield Row(f"{prefix}{name}", _shown(value), meaning)


def _shown(value: object) -> str:
    match value:
        case None | ():
            return ""
        case bool():
            return str(value).lower()
        case SecretStr():
            return "(secret)"
        case float():
            return f"{value:g}" if value < 1e6 else f"{value:.0f}"
        case _:
            return str(value)


def markdown_table() -> str:
    """Write every setting as a table, for docs/serving.md."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in rows()]
    return "\n".join(lines)
