"""A step out of what processes of clients said."""

from __future__ import annotations

from typing import Any

import pytest

from clients.bench.load_machine import CpuLook
from clients.bench.load_packets import StreamLook
from clients.bench.load_steps import Step, StepInput, StepMaker

CPU = (CpuLook(0.0, 100.0, 10.0, 1.0), CpuLook(2.0, 103.0, 11.0, 1.5))


def viewer(**change: Any) -> dict[str, Any]:
    seen = StreamLook(frames=50, packets=100, payload_bytes=98_800).told()
    told = {
        "kind": "viewer",
        "state": "watching",
        "reason": "",
        "watched_s": 2.0,
        "waits_s": None,
        "join_s": None,
        "first_packet_s": None,
        "rate_fps": 25.0,
        "video": seen,
        "audio": StreamLook().told(),
    }
    return {**told, **change}


def waiting(state: str, waits_s: float, reason: str = "") -> dict[str, Any]:
    return viewer(
        state=state,
        reason=reason,
        waits_s=waits_s,
        watched_s=0.0,
        rate_fps=None,
        video=StreamLook().told(),
    )


def made(maker: StepMaker, *clients: dict[str, Any], rooms: tuple[str, ...] = ()) -> Step:
    process = {"window_s": 2.0, "cpu_s": 0.5, "late_p99_s": 0.01, "clients": list(clients)}
    return maker.make(
        StepInput(
            begins_s=0,
            ends_s=2,
            is_hold=False,
            rooms=1,
            processes=[process, {**process, "cpu_s": 0.1, "late_p99_s": 0.03, "clients": []}],
            cpu=CPU,
            cores=2,
            own_cores=0.05,
            server=None,
            refused_rooms=rooms,
        )
    )


def test_the_median_and_the_worst_viewer_are_told() -> None:
    step = made(StepMaker(), viewer(), viewer(rate_fps=24.0), viewer(rate_fps=3.0))
    assert (step.viewers, step.fps_p50, step.fps_worst) == (3, 24.0, 3.0)
    assert step.kbps_p50 == pytest.approx(400.0)  # 98,800 bytes and 100 headers in 2 s


def test_who_waits_long_for_a_first_frame_counts_as_joined_that_late() -> None:
    joined = viewer(join_s=0.3, first_packet_s=0.2)
    step = made(StepMaker(), joined, waiting("watching", 9.0), waiting("joining", 1.0))
    assert (step.join_p50_s, step.join_p95_s) == (0.3, 9.0)
    assert step.fps_p50 == 25.0  # who sees nothing yet has no rate


def test_who_was_refused_waits_for_nothing_and_is_counted_once() -> None:
    maker = StepMaker()
    refused = waiting("refused", 30.0, "503 full")
    first = made(maker, refused, viewer(), rooms=("503 full",))
    assert first.refused == {"viewer: 503 full": 1, "room: 503 full": 1}
    assert first.join_p95_s is None
    second = made(maker, refused, dict(refused), viewer())
    assert second.refused == {"viewer: 503 full": 1}
    assert made(maker, refused, dict(refused), viewer()).refused == {}


def test_a_viewer_that_was_lost_is_a_failure() -> None:
    lost = viewer(state="lost", reason="the connection failed", watched_s=0.1)
    assert made(StepMaker(), lost).failed == {"viewer: the connection failed": 1}


def test_the_machines_time_is_shared_out() -> None:
    step = made(StepMaker(), viewer())
    assert step.clients_cores == pytest.approx(0.35)  # 0.25 + 0.05, and who measures
    assert step.busiest_client_cores == pytest.approx(0.25)
    assert step.server_cores == pytest.approx(0.5)
    assert step.others_cores == pytest.approx(0.65)
    assert step.machine_share == pytest.approx(0.75)
    assert step.server_starved_share == pytest.approx(0.25)
    assert step.clients_late_p99_ms == pytest.approx(30)
