"""Who comes when, what a step is made of, and what the server's figures say."""

from __future__ import annotations

import numpy as np
import pytest

from clients.bench.load_errors import LoadError
from clients.bench.load_metrics import quantile as histogram_quantile
from clients.bench.load_metrics import read_figures, server_step
from clients.bench.load_plan import LoadPlan, arrivals, processes_for, spans
from clients.bench.load_plot import Plot, Series, svg
from clients.bench.load_speech import sentence
from clients.bench.load_steps import quantile
from streamer.http.meters import Meters


def plan(**change: object) -> LoadPlan:
    chosen = {
        "url": "http://127.0.0.1:8080",
        "rooms": 2,
        "viewers": 3,
        "bots": 1,
        "ramp_s": 8.0,
        "hold_s": 5.0,
        "processes": 1,
        "scene": "",
    }
    return LoadPlan(**{**chosen, **change})  # type: ignore[arg-type]


def test_rooms_fill_one_after_another_and_a_viewer_comes_before_the_bots() -> None:
    coming = arrivals(plan())
    assert [(each.kind, each.room) for each in coming[:4]] == [
        ("viewer", 0),
        ("bot", 0),
        ("viewer", 0),
        ("viewer", 0),
    ]
    assert [each.at_s for each in coming] == [float(n) for n in range(8)]
    assert [each.room for each in coming] == [0] * 4 + [1] * 4


def test_steps_cover_the_ramp_and_what_follows() -> None:
    steps = spans(plan())
    assert [(step.begins_s, step.ends_s, step.is_hold) for step in steps] == [
        (0, 2, False),
        (2, 4, False),
        (4, 6, False),
        (6, 8, False),
        (8, 13, True),
    ]
    assert spans(plan(ramp_s=0.0)) == [(0, 5, True)]
    assert len(spans(plan(ramp_s=600.0, viewers=100))) == 9


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LoadError, match="--url"):
        plan(url=url)


@pytest.mark.parametrize(("clients", "count"), [(1, 1), (16, 1), (17, 2), (1000, 4)])
def test_clients_share_processes_but_no_more_than_cores(clients: int, count: int) -> None:
    assert processes_for(clients, 4) == count


def test_a_quantile_is_a_value_that_was_there() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3.0, 1.0, 2.0, 4.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0, 4.0], 0.95) == 4.0
    assert quantile([7.0], 0.5) == 7.0


def test_the_servers_own_figures_are_read_between_two_looks() -> None:
    meters = Meters()
    for _ in range(100):
        meters.lagged(1.5)  # before: not counted
    before = read_figures(meters.text().decode())
    for n in range(1000):
        meters.lagged(0.001 if n < 985 else 0.04)
    after = read_figures(meters.text().decode())
    step = server_step(before, after, 10.0)
    assert step.lag_p99_ms == 50.0
    assert histogram_quantile(before, after, "parley_loop_lag_seconds", 0.98) == 0.001
    assert histogram_quantile(after, after, "parley_loop_lag_seconds", 0.99) is None
    assert step.real_time_factor is None
    assert step.cpu_cores is not None
    assert step.cpu_cores >= 0


def test_what_is_split_by_a_label_stays_split() -> None:
    text = (
        "# TYPE parley_frames_dropped counter\n"
        'parley_frames_dropped_total{{reason="late"}} {late}\n'
        'parley_frames_dropped_total{{reason="behind"}} 4\n'
        "# TYPE parley_real_time_factor histogram\n"
        "parley_real_time_factor_sum {sum}\nparley_real_time_factor_count {count}\n"
        "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total {cpu}\n"
    )
    before = read_figures(text.format(late=1, sum=10, count=10, cpu=5))
    after = read_figures(text.format(late=8, sum=13, count=12, cpu=8))
    step = server_step(before, after, 2.0)
    assert step.frames_dropped == {"late": 7}
    assert step.real_time_factor == 1.5
    assert step.cpu_cores == 1.5


def test_text_that_is_no_figures_is_none() -> None:
    assert read_figures("<html>not { metrics") == {}


def test_speech_is_the_same_for_the_same_seed_and_has_syllables() -> None:
    first, again = (sentence(np.random.default_rng(3), 24_000, 2.0) for _ in range(2))
    other = sentence(np.random.default_rng(4), 24_000, 2.0)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (48_000,)
    loud = np.sqrt((first.reshape(-1, 480).astype(float) ** 2).mean(axis=1)) / 32768
    assert loud.max() > 0.03
    assert loud.min() < loud.max() / 5


def test_a_plot_names_every_value_and_leaves_out_what_nobody_told() -> None:
    plot = Plot(
        title="a < b",
        steps=["1", "2", "3"],
        series=[Series("seen", [1.0, None, 3.0])],
        bound=2.0,
        bend=1,
    )
    drawn = svg(plot)
    assert 'aria-label="a &lt; b"' in drawn
    assert drawn.count("<circle") == 2
    assert "seen, 3 viewers: 3" in drawn
    assert "it bends here" in drawn
    assert 'class="bound"' in drawn
