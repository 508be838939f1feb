"""Claims about settings files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from models.errors import ConfigError
from training.runs.config_file import read_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    rates: tuple[float, float]
    kind: Literal["slow", "fast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    steps: int
    shares: dict[str, float]
    inner: Inner
    sizes: tuple[int, ...] = (1,)
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps={self.steps}")


GOOD = """
steps = 3
folder = "some/where"
[shares]
one = 1
two = 2.5
[inner]
rates = [0.5, 1]
kind = "fast"
"""


def read(tmp_path: Path, text: str) -> Outer:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return read_config(path, Outer)


def test_tables_become_dataclasses_and_lists_tuples(tmp_path: Path) -> None:
    expected = Outer(
        steps=3,
        shares={"one": 1.0, "two": 2.5},
        inner=Inner(rates=(0.5, 1.0), kind="fast"),
        folder=Path("some/where"),
    )
    assert read(tmp_path, GOOD) == expected


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("steps = 3", "steps = 3\nstep = 4", r"unknown \['step'\]"),
        ("steps = 3", "", r"missing \['steps'\]"),
        ("steps = 3", 'steps = "3"', "steps: expected int"),
        ("steps = 3", "steps = true", "steps: expected int"),
        ("steps = 3", "steps = 0", "steps=0"),
        ('kind = "fast"', 'kind = "quick"', r"inner: kind: expected one of.*got 'quick'"),
        ("[0.5, 1]", "[0.5]", "expected 2 values"),
        ("[0.5, 1]", "0.5", "rates: expected list"),
        ("two = 2.5", "two = [2]", r"shares\.two: expected float"),
        ("[inner]", "[outer]", "unknown"),
        ("steps = 3", "steps =", "cannot read settings"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read(tmp_path, GOOD.replace(old, new))
