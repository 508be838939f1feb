"""A front's counts for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.cluster.fleet import Fleet


class FleetMeters(Collector):
    """Shows what a fleet has now and what became of it. Owns nothing."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        members, tally = self._fleet.members, self._fleet.tally
        slots = sum(each.slots for each in members)
        rooms = sum(len(each.rooms) for each in members)
        yield GaugeMetricFamily("parley_cluster_workers", "Workers now.", value=len(members))
        yield GaugeMetricFamily("parley_cluster_slots", "Rooms that may be open.", value=slots)
        yield GaugeMetricFamily("parley_cluster_rooms", "Rooms on workers now.", value=rooms)
        yield CounterMetricFamily(
            "parley_cluster_workers_lost", "Workers that died.", value=tally.workers_lost
        )
        yield CounterMetricFamily(
            "parley_cluster_rooms_reopened",
            "Rooms of lost workers that go on elsewhere.",
            value=tally.rooms_reopened,
        )
        yield CounterMetricFamily(
            "parley_cluster_rooms_lost", "Rooms that ended with a worker.", value=tally.rooms_lost
        )
