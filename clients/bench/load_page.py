"""The report as one HTML file: nothing is fetched, light and dark as the reader's system is."""

from __future__ import annotations

from html import escape

from clients.bench.load_bend import FPS, LEAST_SHARE, MOST_LAG_MS
from clients.bench.load_plot import Plot, Series, legend, svg
from clients.bench.load_report import Report, cells, setting
from clients.bench.load_steps import JOIN_LIMIT_S

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --card: #f6f7f9; --ink: #1b1f24; --soft: #59616b;
  --rule: #d7dbe0; --bend: #f5b84133; --bound: #b3261e;
  --c0: #2563c9; --c1: #c2500e; --c2: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --card: #1d2126; --ink: #e8eaed;
  --soft: #a5adb7; --rule: #363c44; --bend: #f5b84126; --bound: #ff8a80;
  --c0: #7fb0ff; --c1: #ffab73; --c2: #9aa3ae; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .5rem; }
h2 { font-size: 1rem; margin: 0 0 .25rem; }
.sentence { font-size: 1.1rem; border-left: 4px solid var(--c0); padding: .25rem 1rem;
  margin: 1rem 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: .9rem; }
svg { width: 100%; height: auto; display: block; }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .25rem 0 0;
  padding: 0; color: var(--soft); font-size: .85rem; }
li i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
li i.dash { height: 0; border-top: 2px dashed var(--bound); border-radius: 0;
  vertical-align: middle; }
.c0 { fill: var(--c0); background: var(--c0); } .c1 { fill: var(--c1); background: var(--c1); }
.c2 { fill: var(--c2); background: var(--c2); }
.line { fill: none; stroke-width: 2; }
.line.c0 { stroke: var(--c0); } .line.c1 { stroke: var(--c1); } .line.c2 { stroke: var(--c2); }
.grid { stroke: var(--rule); }
.bound { stroke: var(--bound); stroke-width: 1.5; stroke-dasharray: 6 4; }
.bend { fill: var(--bend); }
text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.tick { text-anchor: end; } .step { text-anchor: middle; }
.scroll { overflow-x: auto; margin: 1.25rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; white-space: normal; vertical-align: bottom; }
th:last-child, td:last-child { text-align: left; }
tr.bends td { background: var(--bend); font-weight: 600; }
.setting { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
"""


def page(report: Report) -> str:
    """Write the page."""
    shown = "".join(
        f"<section><h2>{escape(plot.title)}</h2>{svg(plot)}{legend(plot)}</section>"
        for plot in plots(report)
    )
    told = "".join(f"<p class=setting>{escape(line)}</p>" for line in setting(report))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Parley under load</title><style>{STYLE}</style></head><body>"
        f"<h1>Parley under load</h1><p class=sentence>{escape(report.bend.sentence)}</p>"
        f"<div class=plots>{shown}</div>{_table(report)}{told}</body></html>\n"
    )


def plots(report: Report) -> list[Plot]:
    """Choose what is drawn."""
    steps, bend = report.steps, report.bend.step
    labels = [str(step.viewers) for step in steps]
    servers = [step.server for step in steps]

    def plot(title: str, *series: Series, bound: float | None = None) -> Plot:
        return Plot(title=title, steps=labels, series=series, bound=bound, bend=bend)

    return [
        plot(
            "Frames per second at a viewer",
            Series("median viewer", [step.fps_p50 for step in steps]),
            Series("worst viewer", [step.fps_worst for step in steps]),
            bound=LEAST_SHARE * FPS,
        ),
        plot(
            "Joining, seconds to the first frame",
            Series("p50", [step.join_p50_s for step in steps]),
            Series("p95", [step.join_p95_s for step in steps]),
            bound=JOIN_LIMIT_S,
        ),
        plot(
            "Server: real-time factor",
            Series("mean", [None if s is None else s.real_time_factor for s in servers]),
            bound=1.0,
        ),
        plot(
            "Server: loop lag p99, ms at most",
            Series("loop lag", [None if s is None else s.lag_p99_ms for s in servers]),
            bound=MOST_LAG_MS,
        ),
        Plot(
            title=f"CPU, cores of {report.hardware.cores}",
            steps=labels,
            series=[
                Series("server", [step.server_cores for step in steps]),
                Series("clients", [step.clients_cores for step in steps]),
                Series("others", [step.others_cores for step in steps]),
            ],
            is_stacked=True,
            bend=bend,
        ),
        Plot(
            title="Freezes (over 200 ms), all viewers",
            steps=labels,
            series=[Series("freezes", [float(step.freezes) for step in steps])],
            is_stacked=True,
            bend=bend,
        ),
    ]


def _table(report: Report) -> str:
    rows = [cells(step) for step in report.steps]
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in rows[0])
    body = "".join(
        f"<tr{' class=bends' if n == report.bend.step else ''}>"
        + "".join(f"<td>{escape(value)}</td>" for value in row.values())
        + "</tr>"
        for n, row in enumerate(rows)
    )
    return (
        '<div class=scroll tabindex=0 role=region aria-label="Figures step by step">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
