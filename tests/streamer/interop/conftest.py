"""Tests that need a browser or many minutes run when asked for: `-m browser`, `-m soak`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MARKERS = {
    "browser": "needs Chromium, Playwright and npm packages, see docs/interop.md; -m browser",
    "soak": "takes minutes and a machine of its own, see docs/interop.md; -m soak",
}
FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for."""
    asked = str(config.option.markexpr)
    unasked = [
        item
        for item in items
        if any(item.get_closest_marker(name) and name not in asked for name in MARKERS)
    ]
    if unasked:
        items[:] = [item for item in items if item not in unasked]
        config.hook.pytest_deselected(items=unasked)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what was measured, at the end of the run."""
    told = request.config.stash[FIGURES]
    return lambda text: told.append(f"{request.node.name}: {text}")
