"""Node with libwebrtc (@roamhq/wrtc) and with werift, a stack of its own in TypeScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.streamer.interop.browser import PACKAGES
from tests.streamer.interop.served import served

PROGRAM = Path(__file__).parent / "node" / "talk.mjs"
SECONDS = 8
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        shutil.which("node") is None or not (PACKAGES / "node_modules").is_dir(),
        reason="no node, or no npm packages; see docs/interop.md",
    ),
]


@pytest.mark.parametrize("stack", ["wrtc", "werift"])
def test_a_node_program_speaks_and_watches(
    stack: str, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    program = tmp_path / "talk.mjs"
    shutil.copy(PROGRAM, program)
    (tmp_path / "node_modules").symlink_to(PACKAGES.resolve() / "node_modules")
    with served() as server:
        room = server.open_room()
        at = f"{server.url}/rooms/{room}"
        command = ["node", str(program), stack, f"{at}/seats/1/whip", f"{at}/whep", str(SECONDS)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert run.returncode == 0, run.stderr
        seen = json.loads(run.stdout.strip().splitlines()[-1])
        shown = server.shown(room)
    figure(json.dumps(seen))
    assert seen["pictures"] > 5 * SECONDS
    assert seen["sounds"] > 10 * SECONDS
    assert set(seen["ended"]) == {200}
    assert shown["viewers"] == 0
    if stack == "wrtc":
        assert seen["open"][1] > 0.3
        assert seen["open"][0] < 0.05
        assert seen["loudest"] > 1000
