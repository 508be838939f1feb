"""The dashboard and the alerts ask for figures that a live server has, by their labels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.streamer.http.house import house

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = re.compile(r"\bparley_\w+")
GROUPED = re.compile(r"\bby \(([\w, ]+)\)[^)]*?\b(parley_\w+)")
LEGEND = re.compile(r"\{\{(\w+)\}\}")


@pytest.fixture(scope="module")
def live() -> tuple[set[str], dict[str, set[str]]]:
    """Names that a server shows, and the labels of those that have samples."""
    with house(metrics={"is_open": True}) as running:
        room = running.open_room()
        running.client.post(f"/rooms/{room}/seats/0/clear")
        running.client.post("/rooms", content=b"x" * 1_000_000)  # refused at the door
        text = running.client.get("/metrics").text
    names: set[str] = set()
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        kind = re.match(r"# TYPE (\w+) (\w+)", line)
        sample = re.match(r"(\w+)(?:\{(.*)\})? ", line)
        if kind:
            names.add(kind[1])
            if kind[2] == "histogram":
                names |= {f"{kind[1]}_{end}" for end in ("bucket", "sum", "count")}
        elif sample:
            found = set(re.findall(r'(\w+)="', sample[2] or ""))
            labels.setdefault(sample[1], set()).update(found)
    return names, labels


def targets() -> list[tuple[str, str]]:
    """Every query of the dashboard with its legend."""
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    return [(t["expr"], t["legendFormat"]) for p in panels for t in p.get("targets", ())]


def alerts() -> list[str]:
    groups = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def test_every_figure_asked_for_exists(live: tuple[set[str], dict[str, set[str]]]) -> None:
    queries = [*(expr for expr, _ in targets()), *alerts()]
    asked = {name for query in queries for name in NAME.findall(query)}
    assert len(asked) > 30
    assert asked - live[0] == set()


def test_what_is_grouped_by_is_a_label(live: tuple[set[str], dict[str, set[str]]]) -> None:
    grouped = [
        (name, label.strip())
        for expr, _ in targets()
        for labels, name in GROUPED.findall(expr)
        for label in labels.split(",")
    ]
    known = [(name, label) for name, label in grouped if name in live[1]]
    assert len(known) >= 8
    assert [(name, label) for name, label in known if label not in live[1][name]] == []


def test_a_legend_names_only_what_its_query_keeps() -> None:
    lost = [
        (expr, label)
        for expr, legend in targets()
        for label in LEGEND.findall(legend)
        if not re.search(rf"by \([^)]*\b{label}\b", expr)
    ]
    assert lost == []


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    panels: list[dict[str, Any]] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())[
        "panels"
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_prometheus_reads_a_file_of_alerts_that_exists() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert [name for name in config["rule_files"] if not (DEPLOY / name).is_file()] == []
    [job] = config["scrape_configs"]
    assert f'up{{job="{job["job_name"]}"}} == 0' in alerts()
