"""Settings every test runs under: environment variables, so that no run imports torch for them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from training.metrics import judge_models
from training.studio import assets

LEFT_OUT = pytest.StashKey[int]()

# One thread for torch: small tensors gain nothing from more, and timings stay comparable.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing is fetched from a model hub by accident.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# ONNX Runtime reports nothing to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# asyncio reports a coroutine never awaited and a callback that blocks the loop.
os.environ.setdefault("PYTHONASYNCIODEBUG", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the studio where its assets are not, and say so at the end."""
    marked = [item for item in items if item.get_closest_marker("studio")]
    if not marked or _has_assets():
        return
    items[:] = [item for item in items if item not in marked]
    config.hook.pytest_deselected(items=marked)
    config.stash[LEFT_OUT] = len(marked)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what this run did not exercise."""
    left_out = config.stash.get(LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(
            f"{left_out} tests of synthetic people and judges were left out: `make assets` fetches "
            "what they need"
        )


def _has_assets() -> bool:
    folder = assets.asset_folder()
    return assets.is_complete(folder) and judge_models.is_complete(folder)
