"""One Ray cluster of two nodes for all tests of this folder, and a front on it for most."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.web.conftest import browser, visit, voice_file
from tests.streamer.cluster.fronts import Front, front_on, two_nodes

__all__ = ["browser", "visit", "voice_file"]  # fixtures of the page's tests


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    pytest.importorskip("ray", reason="the extra `cluster` is missing: Ray places rooms")
    with two_nodes() as address:
        yield address


@pytest.fixture(scope="module")
def running_front(ray_address: str) -> Iterator[Front]:
    with front_on(ray_address) as front:
        yield front


@pytest.fixture
def front(running_front: Front) -> Front:
    """Give the front with two workers and no room."""
    running_front.clear()
    return running_front
