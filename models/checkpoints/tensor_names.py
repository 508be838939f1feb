"""Long lists of tensor names, said in a few words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

MOST_GROUPS = 8  # an error that fills the screen hides its first line


def abbreviate(lines: Iterable[str], most: int = MOST_GROUPS) -> str:
    """Join names with commas, those that differ in numbers alone counted as one, the rest counted.

    `blocks.0.norm.bias` and 39 more like it become `blocks.*.norm.bias (40)`.
    """
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(_pattern(line), []).append(line)
    shown = [
        members[0] if len(members) == 1 else f"{pattern} ({len(members)})"
        for pattern, members in list(groups.items())[:most]
    ]
    hidden = sum(len(members) for members in list(groups.values())[most:])
    return ", ".join(shown) + (f" and {hidden} more" if hidden else "")


def counted(number: int, noun: str) -> str:
    """Say `1 tensor`, `2 tensors`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def most_common(items: Iterable[str]) -> tuple[str, int] | None:
    """Give the item that occurs most often and how often; None when there is none."""
    ranked = Counter(items).most_common(1)
    return ranked[0] if ranked else None


def _pattern(line: str) -> str:
    # Numbers that stand between dots: layers. Those of a shape or inside a word say what it is.
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", line)
