"""A first stage trained on dolls, once for all tests that begin with its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.cli import app


@pytest.fixture(scope="session")
def single_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("single")
    result = CliRunner().invoke(app, ["single", "--smoke", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out
