"""What connections to clients tell of themselves, as Prometheus reads it."""

from __future__ import annotations

import re

from streamer.media.jitter import JitterCounts
from streamer.webrtc.peer_stats import PeerStats
from tests.streamer.http.house import OFFER, SDP, House, house

BAD = PeerStats(
    state="connected",
    bytes_sent=1000,
    packets_received=50,
    round_trip=0.3,
    sent_loss=0.25,
    remb=200_000,
    keyframe_requests=3,
)
TALKS = PeerStats(
    state="connected",
    bytes_sent=10,
    round_trip=0.1,
    received_jitter=0.02,
    remb=900_000,
    voice=JitterCounts(received=40, lost=2),
    voice_delay=0.06,
)


def figures(running: House) -> dict[str, float]:
    text = running.client.get("/metrics").text
    found = re.findall(r"^(parley_(?:peer|voice_jitter)\S*) (\S+)$", text, re.MULTILINE)
    return {name.removeprefix("parley_"): float(value) for name, value in found}


def test_connections_are_summed_up_and_the_worst_is_named_for_its_figure_alone() -> None:
    with house() as running:
        room = running.open_room()
        watched = running.client.post(f"/rooms/{room}/whep", content=OFFER, headers=SDP)
        running.client.post(f"/rooms/{room}/seats/0/whip", content=OFFER, headers=SDP)
        assert figures(running)["peer_bytes_sent_total"] == 0  # they have not looked yet
        for peer, stats in zip(running.peers.made, (BAD, TALKS), strict=True):
            peer.latest = stats
        found = figures(running)
        assert found["peer_bytes_sent_total"] == 1010
        assert found["peer_keyframe_requests_total"] == 3
        assert found['voice_jitter_total{what="received"}'] == 40
        assert found['voice_jitter_total{what="lost"}'] == 2
        assert found["peer_round_trip_seconds_most"] == 0.3
        assert found["peer_sent_loss_most"] == 0.25
        assert found["peer_received_jitter_seconds_most"] == 0.02
        assert found["peer_voice_delay_seconds_most"] == 0.06
        assert found["peer_bits_per_second_least"] == 200_000
        assert running.client.delete(watched.headers["location"]).status_code == 200
        found = figures(running)
        assert found["peer_bytes_sent_total"] == 1010  # a counter never falls
        assert found["peer_round_trip_seconds_most"] == 0.1
