"""The rooms' plain counters in Prometheus' format, read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import get_args

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streamer.http.sessions import Kind, SessionTable
from streamer.rooms.measures import Histogram, Measures
from streamer.rooms.registry import RoomRegistry

# What a count is split by, where the field holds a dictionary.
LABELS = {
    "rooms_ended": "reason",
    "chunks_by_rung": "rung",
    "frames_dropped": "reason",
    "viewer_drops": "kind",
    "part_seconds": "part",
}
SECONDS_SUFFIX = "_s"
KINDS: tuple[Kind, ...] = get_args(Kind)


class RoomMeters(Collector):
    """Shows a registry's measures and what is in it now. Owns nothing."""

    def __init__(self, registry: RoomRegistry, sessions: SessionTable) -> None:
        self._registry = registry
        self._sessions = sessions

    def collect(self) -> Iterator[Metric]:
        measures = self._registry.measures
        for field in fields(Measures):
            yield _family(field.name, getattr(measures, field.name))
        rooms = self._registry.rooms
        yield GaugeMetricFamily("parley_rooms", "Rooms open now.", value=len(rooms))
        yield GaugeMetricFamily(
            "parley_rooms_most", "Rooms that may be open.", value=self._registry.most_rooms
        )
        yield GaugeMetricFamily(
            "parley_viewers", "Viewers now.", value=sum(room.viewers for room in rooms)
        )
        seats = [seat for room in rooms for seat in room.seats]
        yield GaugeMetricFamily(
            "parley_seats_taken",
            "Seats that somebody has now.",
            value=sum(seat.kind is not None for seat in seats),
        )
        yield GaugeMetricFamily(
            "parley_seat_queued_seconds_most",
            "Speech that waits on the fullest seat.",
            value=max((seat.queued_s for seat in seats), default=0.0),
        )
        yield GaugeMetricFamily(
            "parley_room_load_most",
            "Time to make a chunk over its length, in the slowest room.",
            value=max((room.info().load for room in rooms), default=0.0),
        )
        sessions = GaugeMetricFamily("parley_sessions", "Sessions open now.", labels=("kind",))
        for kind in KINDS:
            sessions.add_metric((kind,), self._sessions.count(kind))
        yield sessions


def _family(name: str, value: object) -> Metric:
    """Turn one field of the measures into a metric."""
    shown = f"parley_{name}"
    said = name.replace("_", " ").capitalize() + "."
    match value:
        case Histogram():
            if shown.endswith(SECONDS_SUFFIX):
                shown = shown.removesuffix(SECONDS_SUFFIX) + "_seconds"
            return HistogramMetricFamily(
                shown, said, buckets=_buckets(value), sum_value=value.total
            )
        case dict():
            family = CounterMetricFamily(shown, said, labels=(LABELS.get(name, "kind"),))
            for key, count in value.items():
                family.add_metric((key,), count)
            return family
        case int() | float():
            return CounterMetricFamily(shown, said, value=value)
        case _:
            raise TypeError(f"{name} is a {type(value).__name__}, which no metric shows")


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Give Prometheus' cumulative buckets."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    seen, buckets = 0, []
    for bound, count in zip(bounds, histogram.counts, strict=True):
        seen += count
        buckets.append((bound, float(seen)))
    return buckets
