"""How the connections to clients are, in Prometheus' format: sums from the start, the worst now.

No figure names a client: sums and extremes tell an operator whether a network is bad, and the log
has the session that left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.webrtc.peer_stats import PeerStats

SUMS = {
    "bytes_sent": "Bytes sent to clients by WebRTC.",
    "bytes_received": "Bytes that came from clients by WebRTC.",
    "packets_sent": "Packets sent to clients by WebRTC.",
    "packets_received": "Packets that came from clients by WebRTC.",
    "keyframe_requests": "Times a client asked for a key frame.",
}
WORST = {
    "round_trip": ("round_trip_seconds_most", "Longest way to a client and back now."),
    "sent_loss": ("sent_loss_most", "Largest share that a client misses of what it is sent."),
    "received_jitter": ("received_jitter_seconds_most", "Largest jitter of a voice that comes."),
    "voice_delay": ("voice_delay_seconds_most", "Longest that our buffers hold a voice now."),
}


class PeerTotals:
    """What has been counted over all connections, those that are over included."""

    def __init__(self) -> None:
        self._past: Counter[str] = Counter()
        self._past_voice: Counter[str] = Counter()

    def ended(self, stats: PeerStats | None) -> None:
        """Keep the figures of a connection that is over."""
        if stats is not None:
            self._past.update(_sums(stats))
            self._past_voice.update(_voice(stats))

    def now(self, live: Iterable[PeerStats]) -> tuple[Counter[str], Counter[str]]:
        """Give the sums, and those of the voices' jitter buffers."""
        sums, voice = self._past.copy(), self._past_voice.copy()
        for stats in live:
            sums.update(_sums(stats))
            voice.update(_voice(stats))
        return sums, voice


class PeerMeters(Collector):
    """Shows what the connections said last; they look at themselves once a second."""

    def __init__(self, live: Callable[[], Iterable[PeerStats]], totals: PeerTotals) -> None:
        self._live = live
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        live = tuple(self._live())
        sums, voice = self._totals.now(live)
        for name, said in SUMS.items():
            yield CounterMetricFamily(f"parley_peer_{name}", said, value=sums[name])
        packets = CounterMetricFamily(
            "parley_voice_jitter", "What became of the packets of voices.", labels=("what",)
        )
        for what in sorted(voice):
            packets.add_metric((what,), voice[what])
        yield packets
        for name, (shown, said) in WORST.items():
            values = [value for each in live if (value := getattr(each, name)) is not None]
            yield GaugeMetricFamily(f"parley_peer_{shown}", said, value=max(values, default=0.0))
        rates = [each.remb for each in live if each.remb is not None]
        yield GaugeMetricFamily(
            "parley_peer_bits_per_second_least",
            "What the slowest client can take, as it says itself; 0 when none says anything.",
            value=min(rates, default=0),
        )


def _sums(stats: PeerStats) -> dict[str, int]:
    return {name: getattr(stats, name) for name in SUMS}


def _voice(stats: PeerStats) -> dict[str, int]:
    return {} if stats.voice is None else asdict(stats.voice)
