"""One server for tests that open rooms of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.streamer.http.house import House, house

PLENTY = {"burst": 100_000, "per_minute": 1_000_000}


@pytest.fixture(scope="session")
def shared_house() -> Iterator[House]:
    rates = {"post": PLENTY, "patch": PLENTY, "delete": PLENTY, "socket": PLENTY}
    with house(rates=rates, limits={"rooms": 8}) as running:
        yield running


@pytest.fixture
def open_house(shared_house: House) -> Iterator[House]:
    """Give the shared server, without rooms before and after the test."""
    shared_house.peers.made.clear()
    yield shared_house
    shared_house.built.app.state.services = shared_house.built.services
    for room in shared_house.built.services.registry.rooms:
        shared_house.client.delete(f"/rooms/{room.id}")
