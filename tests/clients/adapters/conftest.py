"""A server process with a room for each test of an adapter, and figures at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.streamer.interop.served import Served, served

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what was measured, at the end of the run."""
    told = request.config.stash[FIGURES]
    return lambda text: told.append(f"{request.node.name}: {text}")


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    with served("engine.null_width=128", "engine.null_height=64", "limits.rooms=20") as running:
        yield running


@pytest.fixture
def room(server: Served) -> Iterator[str]:
    opened = server.open_room()
    yield opened
    server.http.delete(f"/rooms/{opened}")
