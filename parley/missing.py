"""From a module that cannot be found to the command that installs it.

The distribution's own metadata is the only table: which requirements it has, and under which extra.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from typing import NamedTuple


class Requirement(NamedTuple):
    """One requirement of a distribution, its version bounds left out."""

    name: str  # normalized: lower case, dashes
    extra: str | None  # None: always installed


def how_to_install(error: ModuleNotFoundError, entry: EntryPoint) -> str | None:
    """Say which package `entry` needs and what to type; None when the error is a bug of ours.

    A bug is: a module that no requirement of the entry point's distribution provides (a wrong
    import of our own, an undeclared dependency).
    """
    if error.name is None or entry.dist is None:
        return None
    requirements = [_parse(text) for text in entry.dist.requires or []]
    found = _providers(error.name, requirements)
    if not found:
        return None
    package, wanted = found[0].name, entry.dist.name
    extras = [requirement.extra for requirement in found]
    if None not in extras:
        named = next((extra for extra in entry.extras if extra in extras), extras[0])
        wanted = f"{wanted}[{named}]"
    return f"needs the package {package}, which is not installed: pip install '{wanted}'"


def _providers(module: str, requirements: list[Requirement]) -> list[Requirement]:
    """Requirements that provide `module`, judged by name: the same, else one that contains it.

    The second way finds pillow for PIL and pyjwt for jwt.
    """
    name = _normalize(module)
    same = [each for each in requirements if each.name == name]
    return same or [each for each in requirements if name in each.name]


def _parse(text: str) -> Requirement:
    name = re.split(r"[^\w.-]", text, maxsplit=1)[0]
    extra = re.search(r"""extra\s*==\s*['"]([\w.-]+)""", text)
    return Requirement(_normalize(name), extra.group(1) if extra else None)


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
