from __future__ import annotations

import pytest
from aiortc import RTCPeerConnection

from streamer.errors import StreamerError
from streamer.webrtc import aiortc_seams
from streamer.webrtc.aiortc_seams import (
    AiortcVersionError,
    check_version,
    has_consent,
    listen_on,
    tap_packets,
    watch_feedback,
)
from tests.streamer.webrtc.virtual_time import run


def test_an_aiortc_that_nobody_looked_into_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_version()
    monkeypatch.setattr(aiortc_seams, "version", lambda _: "2.0.0")
    with pytest.raises(AiortcVersionError, match=r"got 2\.0\.0"):
        check_version()


def test_an_aiortc_that_looks_different_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call() -> None:
        pc = RTCPeerConnection()
        transceiver = pc.addTransceiver("audio")
        monkeypatch.setattr(aiortc_seams, "BUFFER", "_another")
        monkeypatch.setattr(aiortc_seams, "FEEDBACK", "_another")
        with pytest.raises(AiortcVersionError, match="no _another"):
            tap_packets(transceiver.receiver, lambda _: None)
        with pytest.raises(AiortcVersionError, match="no _another"):
            watch_feedback(transceiver.sender, keyframe=lambda: None, bitrate=lambda _: None)
        await pc.close()

    run(call)


def test_addresses_are_taken_or_refused() -> None:
    async def call() -> None:
        pc = RTCPeerConnection()
        pc.addTransceiver("audio")
        with pytest.raises(StreamerError, match="none of the addresses"):
            await listen_on(pc, ["192.0.2.1"])
        await listen_on(pc, ["127.0.0.1"])
        await pc.setLocalDescription(await pc.createOffer())
        lines = str(pc.localDescription.sdp).splitlines()
        candidates = [line.split()[4] for line in lines if line.startswith("a=candidate")]
        assert candidates == ["127.0.0.1"]
        assert not await has_consent(pc)
        await pc.close()

    run(call)
