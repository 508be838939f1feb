"""Asks `parley bench quality`, as a process: the benches import nothing of what they measure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clients.bench.errors import BenchError


def judge(words: Sequence[str], report: Path) -> dict[str, Any]:
    """Run the judges; blocks, about as long as the film lasts.

    Raises:
        BenchError: when they cannot; the film is there all the same.
    """
    done = subprocess.run(  # noqa: S603  # our own command, as a list
        [sys.executable, "-m", "parley", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise BenchError(
            f"the judges did not judge: {said[-1] if said else 'no word'} "
            f"(repeat them by: parley {' '.join(words)})"
        )
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found
