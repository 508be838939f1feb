"""One step of a load bench, out of what every process, the server and the machine saw in it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clients.bench.load_machine import CpuLook
from clients.bench.load_metrics import ServerStep
from clients.bench.load_packets import HEADER_BYTES

LEAST_WATCHED_S = 0.5  # a rate over less is chance
JOIN_LIMIT_S = 1.5  # who has waited longer counts as joined that late


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What held in one stretch of time. None: nobody was there to tell."""

    begins_s: float
    ends_s: float
    is_hold: bool  # after the last client has come
    rooms: int
    viewers: int  # that watch at the end
    bots: int  # that speak at the end
    fps_p50: float | None  # of the median viewer; who has seen no frame yet is still joining
    fps_worst: float | None
    join_p50_s: float | None  # from asking to the first whole frame, of those who came now
    join_p95_s: float | None
    first_packet_p50_s: float | None
    freezes: int
    frozen_s: float  # of all viewers together
    kbps_p50: float | None  # of the median viewer, sound and pictures
    packets: int
    lost: int
    jitter_p50_ms: float | None
    jitter_worst_ms: float | None
    refused: dict[str, int]  # new ones, by status and code
    failed: dict[str, int]  # new ones, by reason
    segments: int  # that bots have said to their end
    speech_start_p50_s: float | None  # from pushing a segment to its first sample leaving
    speech_start_p95_s: float | None
    clients_cores: float  # of all processes of clients
    busiest_client_cores: float
    clients_late_p99_ms: float  # the latest loop of a process of clients
    machine_share: float  # of all cores, busy with anything
    server_cores: float | None
    others_cores: float | None  # with neither server nor clients
    server_starved_share: float | None  # of the time: its event loop could run and got no core
    server: ServerStep | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInput:
    """What a step is made of."""

    begins_s: float
    ends_s: float
    is_hold: bool
    rooms: int
    processes: Sequence[dict[str, Any]]  # what each said
    cpu: tuple[CpuLook, CpuLook]
    cores: int
    own_cores: float  # of the process that measures
    server: ServerStep | None
    refused_rooms: Sequence[str]


class StepMaker:
    """Makes steps; remembers which refusals and failures were told already."""

    def __init__(self) -> None:
        self._told: Counter[tuple[str, str]] = Counter()

    def make(self, given: StepInput) -> Step:
        clients = [client for process in given.processes for client in process["clients"]]
        viewers = [each for each in clients if each["kind"] == "viewer"]
        bots = [each for each in clients if each["kind"] == "bot"]
        watched = [each for each in viewers if each["watched_s"] >= LEAST_WATCHED_S]
        waits = [each["waits_s"] for each in viewers if _waits_long(each)]
        joins = [*_given(viewers, "join_s"), *waits]
        rates = [each["rate_fps"] for each in watched]
        jitters = [each["video"]["jitter_s"] * 1000 for each in watched]
        starts = [start for bot in bots for start in bot["starts_s"]]
        packets, lost = _sum(viewers, "packets"), _sum(viewers, "lost")
        refused, failed = self._new(clients, "refused"), self._new(clients, "failed", "lost")
        for why in given.refused_rooms:
            key = f"room: {why}"
            refused[key] = refused.get(key, 0) + 1
        return Step(
            begins_s=given.begins_s,
            ends_s=given.ends_s,
            is_hold=given.is_hold,
            rooms=given.rooms,
            viewers=sum(each["state"] == "watching" for each in viewers),
            bots=sum(each["state"] == "speaking" for each in bots),
            fps_p50=quantile(rates, 0.5),
            fps_worst=min(rates, default=None),
            join_p50_s=quantile(joins, 0.5),
            join_p95_s=quantile(joins, 0.95),
            first_packet_p50_s=quantile(_given(viewers, "first_packet_s"), 0.5),
            freezes=sum(each["video"]["freezes"] for each in viewers),
            frozen_s=sum(each["video"]["frozen_s"] for each in viewers),
            kbps_p50=quantile([_kbps(each) for each in watched], 0.5),
            packets=packets,
            lost=lost,
            jitter_p50_ms=quantile(jitters, 0.5),
            jitter_worst_ms=max(jitters, default=None),
            refused=refused,
            failed=failed,
            segments=sum(bot["segments"] for bot in bots),
            speech_start_p50_s=quantile(starts, 0.5),
            speech_start_p95_s=quantile(starts, 0.95),
            server=given.server,
            **_cpu(given),
        )

    def _new(self, clients: Iterable[dict[str, Any]], *states: str) -> dict[str, int]:
        """Count who came into these states since the last step: who is in one stays in it."""
        now = Counter((each["kind"], each["reason"]) for each in clients if each["state"] in states)
        new = {key: count - self._told[key] for key, count in now.items()}
        self._told.update(new)
        return {f"{kind}: {reason}": count for (kind, reason), count in new.items() if count > 0}


def quantile(values: Sequence[float], share: float) -> float | None:
    """Give the smallest value that a share of all is not above; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _waits_long(viewer: dict[str, Any]) -> bool:
    is_coming = viewer["state"] in ("joining", "watching")
    return is_coming and viewer["waits_s"] is not None and viewer["waits_s"] > JOIN_LIMIT_S


def _given(clients: Iterable[dict[str, Any]], name: str) -> list[float]:
    return [each[name] for each in clients if each[name] is not None]


def _sum(viewers: Iterable[dict[str, Any]], name: str) -> int:
    return sum(each[kind][name] for each in viewers for kind in ("video", "audio"))


def _kbps(viewer: dict[str, Any]) -> float:
    both = (viewer["video"], viewer["audio"])
    count = sum(each["payload_bytes"] + HEADER_BYTES * each["packets"] for each in both)
    return float(count * 8 / 1000 / viewer["watched_s"])


def _cpu(given: StepInput) -> dict[str, Any]:
    """Share the machine's time out: clients, server, others."""
    before, after = given.cpu
    seconds = max(after.at_s - before.at_s, 1e-3)
    busy = (after.busy_s - before.busy_s) / seconds
    each = [process["cpu_s"] / max(process["window_s"], 1e-3) for process in given.processes]
    server = None if given.server is None else given.server.cpu_cores
    has_both = before.server_s is not None and after.server_s is not None
    if server is None and has_both:
        server = ((after.server_s or 0.0) - (before.server_s or 0.0)) / seconds
    is_here = before.server_s is not None
    clients = sum(each) + given.own_cores
    others = busy - clients - (server or 0.0)
    return {
        "clients_cores": clients,
        "busiest_client_cores": max(each, default=0.0),
        "clients_late_p99_ms": 1000 * max((p["late_p99_s"] for p in given.processes), default=0.0),
        "machine_share": min(1.0, busy / given.cores),
        "server_cores": server,
        "others_cores": max(0.0, others) if is_here else None,
        "server_starved_share": None
        if before.server_waited_s is None or after.server_waited_s is None
        else (after.server_waited_s - before.server_waited_s) / seconds,
    }
