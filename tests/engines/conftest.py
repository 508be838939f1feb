from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle
from engines.runtimes.choice import start
from engines.scene.scene import Scene
from engines.scene.store import ready_scene
from tests.engines import toy_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return toy_bundle.build(tmp_path_factory.mktemp("toy") / "bundle")


@pytest.fixture
def own_bundle(tmp_path: Path) -> Bundle:
    """One that a test may damage."""
    return toy_bundle.build(tmp_path / "bundle")


@pytest.fixture
def engine(bundle: Bundle) -> Iterator[AvatarEngine]:
    with AvatarEngine(bundle, start("onnxruntime", 1)) as opened:
        yield opened


@pytest.fixture(scope="session")
def scene(bundle: Bundle) -> Scene:
    return ready_scene(bundle, "pair")


@pytest.fixture(scope="session")
def voices() -> NDArray[np.float32]:
    """Two voices [2, n] of three seconds, loud now and then, unlike each other."""
    draw = np.random.default_rng(5)
    noise = draw.standard_normal((2, 48000), np.float32) * np.float32(0.2)
    swell = np.sin(np.arange(48000) / np.array([[3000.0], [2100.0]])) ** 2
    loud: NDArray[np.float32] = (noise * swell).astype(np.float32)
    return loud
