"""Reads settings from TOML into frozen dataclasses: a key too many, or too few, is an error."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from models.errors import ConfigError

Settings = TypeVar("Settings")


def read_config(path: Path, kind: type[Settings]) -> Settings:
    """Read a TOML file into a dataclass; tables become the dataclasses of its fields.

    Raises:
        ConfigError: when the file is no TOML, a key is unknown or missing, a value is of another
            type than its field, or the dataclass itself refuses it.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read settings from {path}: {error}") from error
    return parse_table(table, kind, str(path))


def parse_table(table: Mapping[str, Any], kind: type[Settings], where: str) -> Settings:
    """Make a dataclass of a table; `where` names the table in errors.

    Raises:
        ConfigError: as `read_config`.
    """
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind} is no dataclass")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown {unknown}; there are {', '.join(sorted(fields))}")
    missing = sorted(name for name, f in fields.items() if name not in table and _is_required(f))
    if missing:
        raise ConfigError(f"{where}: missing {missing}")
    hints = get_type_hints(kind)
    values = {name: _value(v, hints[name], f"{where}: {name}") for name, v in table.items()}
    return kind(**values)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    nothing = dataclasses.MISSING
    return field.default is nothing and field.default_factory is nothing


def _value(value: Any, kind: Any, where: str) -> Any:
    """Convert one TOML value to the type of its field."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        wanted = [each for each in get_args(kind) if each is not type(None)]
        return _value(value, wanted[0], where)  # TOML has no null: leave the key out for None
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return parse_table(_checked(value, dict, where), kind, where)
    if origin is dict:
        table = _checked(value, dict, where)
        return {name: _value(v, get_args(kind)[1], f"{where}.{name}") for name, v in table.items()}
    if origin is tuple:
        return _items(_checked(value, list, where), get_args(kind), where)
    if origin is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{where}: expected one of {get_args(kind)}, got {value!r}")
        return value
    return _scalar(value, kind, where)


def _scalar(value: Any, kind: Any, where: str) -> Any:
    if kind is Path:
        return Path(_checked(value, str, where))
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = {each.value: each for each in kind}
        if value not in choices:
            raise ConfigError(f"{where}: expected one of {tuple(choices)}, got {value!r}")
        return choices[value]
    if kind is float and type(value) is int:
        return float(value)
    return _checked(value, kind, where)


def _checked(value: Any, kind: type, where: str) -> Any:
    """Refuse another type; TOML's true is no 1."""
    if type(value) is not kind:
        raise ConfigError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value


def _items(values: list[Any], kinds: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        return tuple(_value(each, kinds[0], where) for each in values)
    if len(values) != len(kinds):
        raise ConfigError(f"{where}: expected {len(kinds)} values, got {values!r}")
    return tuple(_value(each, kind, where) for each, kind in zip(values, kinds, strict=True))
