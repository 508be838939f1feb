"""The programs of docs/adapters.md run as they are written, but for the address and the room."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # audioop, which Pipecat imports
    pytest.importorskip("pipecat.frames.frames", reason="pipecat-ai is not installed: [pipecat]")
pytest.importorskip("livekit.agents", reason="livekit-agents is not installed: [livekit]")

from livekit.agents import AgentSession

from tests.clients.adapters.test_livekit import LiveRoom, until
from tests.streamer.interop.served import Served

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("default")]
ROOT = Path(__file__).parents[3]
PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)


def program(number: int, server: Served, room: str) -> str:
    found = PROGRAM.findall((ROOT / "docs" / "adapters.md").read_text())[number]
    return str(found).replace("http://127.0.0.1:8080", server.url).replace("ROOM", room)


def test_the_pipecat_program_runs_to_its_end(server: Served, room: str, tmp_path: Path) -> None:
    path = tmp_path / "bot.py"
    path.write_text(program(0, server, room))
    done = subprocess.run(
        [sys.executable, str(path)],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr


def test_the_livekit_entrypoint_takes_the_seat(
    server: Served, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = AgentSession.start

    async def without_room(session: Any, agent: Any, **_: object) -> None:
        await begin(session, agent)  # LiveKit's server is no Python: nobody is there to join

    async def work() -> None:
        monkeypatch.setattr(AgentSession, "start", without_room)
        names: dict[str, Any] = {"__name__": "how_to"}
        exec(program(1, server, room), names)  # noqa: S102  # our own docs
        live = LiveRoom()

        async def connect() -> None:
            return None

        await names["entrypoint"](SimpleNamespace(room=live, connect=connect))
        await until(lambda: server.shown(room)["seats"][0]["is_taken"])
        await until(lambda: live.local_participant.published == ["avatar_audio", "avatar_video"])

    asyncio.run(work(), debug=False)
