"""Modules that need no page, run by Node: the protocol's golden messages, and arithmetic."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clients.web.pages import BOT, MEETING
from tests.clients.web.conftest import PACKAGES

GOLDEN = Path(__file__).parents[2] / "protocol"
NODE = shutil.which("node")
TSC = PACKAGES / "node_modules" / ".bin" / "tsc"
needs_node = pytest.mark.skipif(NODE is None, reason="modules are run by Node: apt install nodejs")


def run(source: str, given: Any = None) -> Any:
    """Run a module's body in which `given` is a value and `told(value)` answers."""
    assert NODE is not None
    program = (
        f"const given = {json.dumps(given)};\n"
        "const told = (value) => console.log(JSON.stringify(value));\n"
        f"{source.replace('MEETING', MEETING.as_uri()).replace('BOT', BOT.as_uri())}"
    )
    command = [NODE, "--input-type=module", "--eval", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_the_page_reads_every_golden_message() -> None:
    golden = json.loads((GOLDEN / "socket_server.json").read_text())["messages"]
    messages = [each["message"] for each in golden if each["message"]]
    read = run(
        """const { readSocketMessage } = await import("MEETING/protocol.js");
        told(given.map((each) => readSocketMessage(JSON.stringify(each))));""",
        messages,
    )
    assert read == messages


@needs_node
def test_the_page_reads_events_and_refuses_unknown_ones() -> None:
    said = run(
        """const { readEvent, readSocketMessage } = await import("MEETING/protocol.js");
        const block = 'event: speak_ended\\ndata: {"seat": 1, "at_ms": 7, "segment": 0}';
        const why = (read) => { try { read(); } catch (error) { return error.message; } };
        told([readEvent(block), readEvent(": still here"),
          why(() => readEvent("event: dance\\ndata: {}")),
          why(() => readSocketMessage('{"type": "dance"}')),
          why(() => readSocketMessage("[1]"))]);"""
    )
    assert said[0] == {"kind": "speak_ended", "seat": 1, "at_ms": 7, "data": {"segment": 0}}
    assert said[1:4] == [None, "unknown event dance", "unknown message dance"]
    assert "not a JSON object" in said[4]


@needs_node
def test_turn_servers_come_from_links() -> None:
    header = (
        '<turn:t.example:3478>; rel="ice-server"; username="a"; credential="b/c=", '
        '<stun:s.example>; rel="ice-server"'
    )
    read = run(
        """const { readIceServers } = await import("MEETING/protocol.js");
        told(readIceServers(given));""",
        header,
    )
    assert read == [
        {"urls": "turn:t.example:3478", "username": "a", "credential": "b/c="},
        {"urls": "stun:s.example"},
    ]


@needs_node
def test_candidates_are_written_as_a_fragment() -> None:
    written = run(
        """const { writeFragment } = await import("MEETING/protocol.js");
        told(writeFragment("v=0\\r\\na=ice-ufrag:u\\r\\na=ice-pwd:p\\r\\n",
          [{ candidate: "candidate:1 1 udp 1 192.0.2.1 5 typ host", sdpMid: "1" }]));"""
    )
    assert written.split("\r\n") == [
        "a=ice-ufrag:u",
        "a=ice-pwd:p",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        "a=mid:1",
        "a=candidate:1 1 udp 1 192.0.2.1 5 typ host",
        "",
    ]


@needs_node
def test_boxes_stay_in_the_picture_and_keep_a_size() -> None:
    moved = run(
        """const { dragged } = await import("MEETING/boxes.js");
        const size = { width: 200, height: 100 };
        const box = [10, 10, 50, 50];
        told([dragged(box, 500, 500, "", size), dragged(box, 100, 0, "nw", size),
          dragged(box, 20, -20, "se", size)]);"""
    )
    assert moved == [[160, 60, 200, 100], [46, 10, 50, 50], [10, 10, 70, 30]]


@needs_node
def test_the_lag_between_voice_and_lips_is_found() -> None:
    found = run(
        """const { bestLag } = await import("MEETING/lips.js");
        const voice = (_, i) => (Math.floor(i / 37) % 2) + Math.sin(i * i) / 9;
        const early = Float32Array.from({ length: 400 }, voice);
        const late = Float32Array.from(early, (_, i) => early[Math.max(0, i - 23)]);
        told(bestLag(early, late, 100));"""
    )
    assert found["lag"] == 23
    assert found["agreement"] > 0.95


@needs_node
def test_speech_is_mixed_to_one_channel_of_16_bits() -> None:
    samples = run(
        """const { toPcm } = await import("MEETING/speak_file.js");
        const channels = [Float32Array.of(1, 0, 0.5, -2), Float32Array.of(1, 0, -0.5, -2)];
        told([...new Int16Array(toPcm(channels))]);"""
    )
    assert samples == [32767, 0, 0, -32767]


@needs_node
def test_text_is_split_into_sentences() -> None:
    split = run(
        """const { sentences } = await import("BOT/speech.js");
        told([sentences(" Hello there. How are you?\\n"), sentences("  ")]);"""
    )
    assert split == [["Hello there.", "How are you?"], []]


@pytest.mark.browser
@pytest.mark.skipif(not TSC.exists(), reason=f"no {TSC}; see docs/clients.md")
def test_the_types_of_every_module_hold() -> None:
    command = [str(TSC), "-p", str(MEETING.parent / "tsconfig.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
