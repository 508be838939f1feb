"""What is written down every few seconds of a soak, and which figures may not grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, median
from typing import Any

import psutil

from clients.bench.load_metrics import Figures
from clients.bench.soak_trend import Bound, Trend, settled, trend
from clients.bench.soak_viewer import Seen
from clients.bench.soak_voices import Spoken

MEGABYTE = 1e6
SETTLING_S = 60.0  # caches fill, first bots come; of a short run a quarter
DROPS = "parley_frames_dropped_total"
MANY = ("rgb", "identity", "dropped")  # numbers in one field


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look. None: nobody could tell."""

    at_s: float
    rss_mb: float | None
    files: float | None
    threads: float | None
    tasks: float | None
    real_time_factor: float | None
    mic_to_send_ms: float | None  # mean of what left since the last look
    bot_to_send_ms: float | None  # median
    clear_ms: float | None  # median
    skew_ms: float | None  # the room that is farthest from where it was
    fps: float | None  # the worst room
    rgb: tuple[float, float, float] | None  # mean of the rooms
    sharpness: float | None
    # Each person's distance to the scene's picture, room after room; .25 is one person, .65 two.
    identity: tuple[float, ...] | None
    dropped: dict[str, int]  # frames since the last look, by reason
    sentences: int
    interrupted: int
    joined: int
    viewers_lost: int


# Growth that is nothing. Memory: Python's heap and the allocator breathe by some megabytes. Files,
# threads, tasks: whoever is just coming or going has some. Latency: one step of a jitter buffer.
BOUNDS: Mapping[str, Bound] = {
    bound.name: bound
    for bound in (
        Bound(name="rss_mb", unit="MB", most=25.0, share=0.04, side="up"),
        Bound(name="files", unit="", most=8.0, share=0.0, side="up"),
        Bound(name="threads", unit="", most=4.0, share=0.0, side="up"),
        Bound(name="tasks", unit="", most=12.0, share=0.0, side="up"),
        Bound(name="real_time_factor", unit="", most=0.05, share=0.15, side="up"),
        Bound(name="mic_to_send_ms", unit="ms", most=40.0, share=0.1, side="up"),
        Bound(name="bot_to_send_ms", unit="ms", most=40.0, share=0.1, side="up"),
        Bound(name="clear_ms", unit="ms", most=40.0, share=0.1, side="up"),
        Bound(name="skew_ms", unit="ms", most=20.0, share=0.0, side="both"),
        Bound(name="red", unit="levels", most=2.0, share=0.0, side="both"),
        Bound(name="green", unit="levels", most=2.0, share=0.0, side="both"),
        Bound(name="blue", unit="levels", most=2.0, share=0.0, side="both"),
        Bound(name="sharpness", unit="levels", most=0.0, share=0.1, side="both"),
        Bound(name="identity", unit="", most=0.05, share=0.0, side="up"),
    )
}


@dataclass(frozen=True, slots=True)
class ServerLook:
    """The server at one moment."""

    figures: Figures | None
    rss_mb: float | None
    files: float | None
    threads: float | None


def look_at(process: psutil.Process | None, figures: Figures | None) -> ServerLook:
    """Read what the system says of a process; of a server elsewhere only its own figures."""
    if process is None:
        return ServerLook(figures, None, None, None)
    try:
        with process.oneshot():
            rss_mb = process.memory_info().rss / MEGABYTE
            return ServerLook(figures, rss_mb, process.num_fds(), process.num_threads())
    except psutil.Error:
        return ServerLook(figures, None, None, None)


def sample(
    at_s: float, looks: tuple[ServerLook, ServerLook], seen: Sequence[Seen], said: Sequence[Spoken]
) -> Sample:
    """Put together what happened between two looks."""
    before, after = looks
    starts = [each for spoken in said for each in spoken.starts_s]
    clears = [each for spoken in said for each in spoken.clears_s]
    skews = [each.skew_ms for each in seen if each.skew_ms is not None]
    colors = [each.rgb for each in seen if each.rgb is not None]
    sharp = [each.sharpness for each in seen if each.sharpness is not None]
    send_s = mean_between(before.figures, after.figures, "parley_mic_to_send_seconds")
    red, green, blue = (
        (sum(each) / len(colors) for each in zip(*colors, strict=True))
        if colors
        else (0.0, 0.0, 0.0)
    )
    return Sample(
        at_s=at_s,
        rss_mb=after.rss_mb,
        files=after.files,
        threads=after.threads,
        tasks=_now(after.figures, "parley_tasks"),
        real_time_factor=mean_between(before.figures, after.figures, "parley_real_time_factor"),
        mic_to_send_ms=None if send_s is None else 1000 * send_s,
        bot_to_send_ms=1000 * median(starts) if starts else None,
        clear_ms=1000 * median(clears) if clears else None,
        skew_ms=max(skews, key=abs) if skews else None,
        fps=min((each.fps for each in seen), default=None),
        rgb=(red, green, blue) if colors else None,
        sharpness=sum(sharp) / len(sharp) if sharp else None,
        identity=None,  # is judged when all is over
        dropped=_dropped(before.figures, after.figures),
        sentences=sum(each.sentences for each in said),
        interrupted=sum(each.interrupted for each in said),
        joined=sum(each.joined for each in said),
        viewers_lost=sum(not each.is_connected for each in seen),
    )


def mean_between(before: Figures | None, after: Figures | None, histogram: str) -> float | None:
    """Give the mean of what a histogram counted between two looks."""
    if before is None or after is None:
        return None
    grown = [
        after.get((f"{histogram}_{part}", frozenset()), 0.0)
        - before.get((f"{histogram}_{part}", frozenset()), 0.0)
        for part in ("sum", "count")
    ]
    return grown[0] / grown[1] if grown[1] > 0 else None


def series(samples: Sequence[Sample]) -> dict[str, list[float | None]]:
    """Give each figure over time, by its name; colors apart."""
    found: dict[str, list[float | None]] = {}
    numbers = [field.name for field in fields(Sample) if field.name not in MANY]
    for name in numbers:
        found[name] = [getattr(each, name) for each in samples]
    for n, color in enumerate(("red", "green", "blue")):
        found[color] = [None if each.rgb is None else each.rgb[n] for each in samples]
    found["identity"] = [
        None if each.identity is None else fmean(each.identity) for each in samples
    ]
    found["dropped"] = [float(sum(each.dropped.values())) for each in samples]
    return found


def settling_s(seconds: float) -> float:
    """Say from when on figures count."""
    return min(SETTLING_S, seconds / 4)


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Judge every figure that has bounds and was measured."""
    if not samples:
        return []
    times, by_name = [each.at_s for each in samples], series(samples)
    found = []
    for name, bound in BOUNDS.items():
        known = settled(times, by_name[name], settling_s(times[-1]))
        judged = trend(bound, *known)
        if judged is not None:
            found.append(judged)
    return found


def told(each: Sample) -> dict[str, Any]:
    """Give it as plain values, for JSON."""
    return asdict(each)


def _now(figures: Figures | None, name: str) -> float | None:
    return None if figures is None else figures.get((name, frozenset()))


def _dropped(before: Figures | None, after: Figures | None) -> dict[str, int]:
    if before is None or after is None:
        return {}
    grown = {
        dict(labels)["reason"]: round(value - before.get((name, labels), 0.0))
        for (name, labels), value in after.items()
        if name == DROPS
    }
    return {reason: count for reason, count in grown.items() if count > 0}
