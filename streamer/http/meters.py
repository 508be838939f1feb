"""What the HTTP surface counts, for Prometheus. One registry a server: nothing is global."""

from __future__ import annotations

import asyncio
from collections import deque

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.registry import Collector

from streamer.http.observing import Seen
from streamer.http.problem import Code

MEDIA_TYPE = "text/plain; version=1.0.0; charset=utf-8"
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
KEPT_LAGS = 1200  # a minute of them


class Meters:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # CPU seconds, memory and files of this process
        self._requests = Counter(
            "parley_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "parley_http_request_seconds",
            "Time until a request was answered.",
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._refused = Counter(
            "parley_http_refused",
            "Requests refused before any route ran.",
            ("code",),
            registry=self.registry,
        )
        self._messages = Counter(
            "parley_socket_messages",
            "Messages over the seats' websockets.",
            ("direction",),
            registry=self.registry,
        )
        self._waits = Counter(
            "parley_socket_waits",
            "Times a websocket was not read for a while, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self._lag = Histogram(
            "parley_loop_lag_seconds",
            "How late the event loop ran what was due.",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self._lags: deque[float] = deque(maxlen=KEPT_LAGS)
        slowest = Gauge(
            "parley_loop_lag_p99_seconds",
            "The 99th percentile of the last minute.",
            registry=self.registry,
        )
        slowest.set_function(self.lag_p99)
        tasks = Gauge("parley_tasks", "Tasks of the event loop now.", registry=self.registry)
        tasks.set_function(_tasks)

    def add(self, collector: Collector) -> None:
        """Let another part's figures be read together with these."""
        self.registry.register(collector)

    def saw(self, seen: Seen) -> None:
        """Count a request."""
        self._requests.labels(seen.method, seen.route, str(seen.status)).inc()
        self._seconds.observe(seen.seconds)

    def refused(self, code: Code) -> None:
        """Count a refusal at the gate."""
        self._refused.labels(code.value).inc()

    def message(self, direction: str) -> None:
        """Count a websocket message, `in` or `out`."""
        self._messages.labels(direction).inc()

    def waited(self, reason: str) -> None:
        """Count a pause of reading."""
        self._waits.labels(reason).inc()

    def lagged(self, seconds: float) -> None:
        """Count one measurement of the event loop."""
        self._lag.observe(seconds)
        self._lags.append(seconds)

    def lag_p99(self) -> float:
        """Give the last minute's 99th percentile, in seconds."""
        ordered = sorted(self._lags)
        return ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0

    def text(self) -> bytes:
        """Write everything in Prometheus' format."""
        return generate_latest(self.registry)


def _tasks() -> float:
    """Count the tasks of the running loop; 0 where there is none."""
    try:
        return float(len(asyncio.all_tasks()))
    except RuntimeError:
        return 0.0
