"""Where it bends, on made-up series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from clients.bench.load_bend import find_bend
from clients.bench.load_metrics import ServerStep
from clients.bench.load_steps import Step

SERVER = ServerStep(
    real_time_factor=0.2,
    lag_p99_ms=5.0,
    cpu_cores=0.3,
    part_shares={},
    rooms=1,
    viewers=0,
    tasks=10,
    queued_s=0.0,
    frames_dropped={},
    viewer_drops={},
    mic_to_send_p95_ms=None,
)
CALM = Step(
    begins_s=0,
    ends_s=2,
    is_hold=False,
    rooms=1,
    viewers=0,
    bots=1,
    fps_p50=25.0,
    fps_worst=24.6,
    join_p50_s=0.2,
    join_p95_s=0.4,
    first_packet_p50_s=0.1,
    freezes=0,
    frozen_s=0.0,
    kbps_p50=900.0,
    packets=1000,
    lost=0,
    jitter_p50_ms=2.0,
    jitter_worst_ms=4.0,
    refused={},
    failed={},
    segments=1,
    speech_start_p50_s=0.3,
    speech_start_p95_s=0.4,
    clients_cores=0.2,
    busiest_client_cores=0.1,
    clients_late_p99_ms=2.0,
    machine_share=0.4,
    server_cores=0.3,
    others_cores=0.1,
    server_starved_share=0.0,
    server=SERVER,
)


def series(*changes: Mapping[str, object]) -> list[Step]:
    """Steps with ten viewers more each, changed as told."""
    return [replace(CALM, viewers=10 * (n + 1), **change) for n, change in enumerate(changes)]  # type: ignore[arg-type]


def server(**change: float | None) -> dict[str, object]:
    return {"server": replace(SERVER, **change)}  # type: ignore[arg-type]


def test_a_server_that_keeps_up_does_not_bend() -> None:
    bend = find_bend(series({}, {}, {"fps_p50": 24.0}))
    assert (bend.figure, bend.step) == ("", None)
    assert bend.sentence.startswith("It does not bend: up to 30 viewers and 1 bot in 1 room")
    assert "24.0/s at least" in bend.sentence


@pytest.mark.parametrize(
    ("figure", "change", "says"),
    [
        ("frame_rate", {"fps_p50": 22.4}, "22.4/s (bound: at least 22.5/s)"),
        ("join", {"join_p95_s": 1.6}, "1.60 s (bound: at most 1.50 s)"),
        ("real_time_factor", server(real_time_factor=1.1), "1.10 (bound: at most 1.00)"),
        ("loop_lag", server(lag_p99_ms=50.0), "50 ms (bound: at most 20 ms)"),
        ("client_cpu", {"busiest_client_cores": 0.95}, "0.95 of a core"),
    ],
)
def test_each_figure_beyond_its_bound_is_named(
    figure: str, change: dict[str, object], says: str
) -> None:
    bend = find_bend(series({}, change, change))
    assert (bend.figure, bend.step, bend.viewers) == (figure, 1, 20)
    assert says in bend.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"fps_p50": 22.5},
        {"join_p95_s": 1.5},
        server(real_time_factor=1.0),
        server(lag_p99_ms=20.0),
        {"busiest_client_cores": 0.9},
    ],
)
def test_a_figure_at_its_bound_is_within(change: dict[str, object]) -> None:
    assert find_bend(series(change, change)).figure == ""


def test_the_figure_that_leaves_first_is_the_reason() -> None:
    slow, late = server(lag_p99_ms=100.0), {"fps_p50": 10.0}
    bend = find_bend(series({}, late, {**late, **slow}, {**late, **slow}))
    assert (bend.figure, bend.step) == ("frame_rate", 1)


def test_of_figures_that_leave_together_the_cause_comes_before_its_effects() -> None:
    both = {"fps_p50": 10.0, "join_p95_s": 3.0, **server(real_time_factor=1.4)}
    bend = find_bend(series({}, both, both))
    assert bend.figure == "real_time_factor"
    assert bend.together == ("join", "frame_rate")
    assert "together with join time p95 3.00 s" in bend.sentence


def test_one_bad_step_between_good_ones_is_chance() -> None:
    assert find_bend(series({}, {"fps_p50": 12.0}, {})).figure == ""


def test_a_bad_last_step_counts() -> None:
    assert find_bend(series({}, {}, {"fps_p50": 12.0})).step == 2


def test_a_slow_join_counts_though_nobody_joins_after_it() -> None:
    bend = find_bend(series({}, {"join_p95_s": 2.0}, {"join_p50_s": None, "join_p95_s": None}))
    assert (bend.figure, bend.step) == ("join", 1)


def test_clients_without_cpu_are_not_blamed_on_the_server() -> None:
    tired = {"busiest_client_cores": 0.99, "fps_p50": 8.0}
    bend = find_bend(series({}, tired, tired))
    assert bend.figure == "client_cpu"
    assert bend.sentence.startswith("The clients bend first at 20 viewers")
    assert "says nothing about the server" in bend.sentence


def test_a_machine_that_others_fill_is_told() -> None:
    busy = {"machine_share": 1.0, "others_cores": 1.5, "server_starved_share": 0.7}
    full = {**busy, **server(lag_p99_ms=50.0)}
    bend = find_bend(series({}, full, full))
    assert bend.is_machine_full
    assert (bend.figure, bend.together) == ("no_core", ("loop_lag",))
    assert bend.sentence.startswith(
        "The machine bends first at 20 viewers and 1 bot in 1 room: the "
    )
    assert "had no core 70% of the time (bound: at most 10% of the time)" in bend.sentence
    assert bend.sentence.endswith("so measure again when it is free.")


def test_a_server_without_a_core_that_keeps_up_does_not_bend() -> None:
    assert find_bend(series({"server_starved_share": 0.5}, {})).figure == ""


def test_a_machine_that_server_and_clients_fill_needs_no_second_run() -> None:
    full = {"machine_share": 1.0, "server_cores": 1.0, "others_cores": 0.1, "fps_p50": 9.0}
    bend = find_bend(series({}, full, full))
    assert bend.is_machine_full
    assert "measure again" not in bend.sentence


def test_a_server_without_figures_is_judged_by_its_clients() -> None:
    bend = find_bend(series({"server": None}, {"server": None}))
    assert "could not be read" in bend.sentence
    slow = {"server": None, "fps_p50": 9.0}
    assert find_bend(series({}, slow, slow)).figure == "frame_rate"


def test_nobody_who_saw_a_picture_is_no_good_result() -> None:
    bend = find_bend(series({"fps_p50": None}))
    assert bend.sentence.startswith("Nothing can be said")


def test_who_was_turned_away_is_counted_over_all_steps() -> None:
    full = {"refused": {"viewer: 503 full": 2}}
    bend = find_bend(series({}, full, {"refused": {"viewer: 503 full": 3}}))
    assert bend.figure == ""
    assert bend.sentence.endswith("turned away or lost: 5 times viewer: 503 full.")
