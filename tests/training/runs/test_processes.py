"""Claims about several training processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from training.runs.folder import RunFolder

ROOT = Path(__file__).parents[3]


def test_two_processes_learn_from_other_data_and_keep_the_same_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "--local-addr=127.0.0.1", "-m", "tests.training.runs.two_processes", tmp_path],
        cwd=ROOT,
        env=os.environ | {"GLOO_SOCKET_IFNAME": "lo"},  # whatever else the machine has or loses
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = [(tmp_path / f"rank{rank}").read_text().partition(" ") for rank in (0, 1)]
    assert told[0][0] != told[1][0]
    assert told[0][2] == told[1][2]
    lines = RunFolder(tmp_path).read_log()
    assert [line["samples"] for line in lines if line["kind"] == "loss"] == [8, 16, 24, 32, 40]
