"""Runs a load bench: lets clients come one after another, and looks at the end of every step."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

from clients.bench.load_bend import find_bend
from clients.bench.load_crew import Crew
from clients.bench.load_errors import LoadError
from clients.bench.load_machine import CpuLook, cores, find_server, hardware, look, program_commit
from clients.bench.load_metrics import Figures, server_step
from clients.bench.load_plan import Arrival, LoadPlan, Span, arrivals, spans
from clients.bench.load_report import Config, Report
from clients.bench.load_server import LoadServer, Refused, Scene
from clients.bench.load_steps import Step, StepInput, StepMaker

Told = Callable[[Step], None]


async def run(plan: LoadPlan, token: str, told: Told) -> Report:
    """Run a plan; every room and every client is gone when it returns or raises.

    Args:
        plan: what to do.
        token: an admin's; empty where the server wants none.
        told: hears of every step as it ends.

    Raises:
        LoadError: when nothing can be measured.
    """
    task = asyncio.current_task()
    with contextlib.suppress(NotImplementedError):  # Windows has no such signals
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with LoadServer(plan.url, token) as server:
        scene = await server.scene(plan.bots, plan.scene)
        async with Crew(plan.url, token, plan.processes) as crew:
            steps = await _Ramp(plan, server, scene, crew).run(told)
    return Report(
        began_at=began_at,
        commit=program_commit(),
        hardware=hardware(),
        versions={name: version(name) for name in ("parley-avatar", "aiortc", "av", "websockets")},
        config=Config(
            url=plan.url,
            scene=scene.id,
            people=scene.people,
            width=scene.width,
            height=scene.height,
            rooms=plan.rooms,
            viewers=plan.viewers,
            bots=plan.bots,
            ramp_s=plan.ramp_s,
            hold_s=plan.hold_s,
            processes=plan.processes,
        ),
        steps=steps,
        bend=find_bend(steps),
    )


@dataclass(slots=True)
class _Before:
    """What was read when the step began."""

    at_s: float
    cpu: CpuLook
    own_s: float
    figures: Figures | None


@dataclass(slots=True)
class _Ramp:
    """One run in progress."""

    plan: LoadPlan
    server: LoadServer
    scene: Scene
    crew: Crew
    now: Callable[[], float] = time.monotonic
    _rooms: dict[int, str | Refused] = field(default_factory=dict)
    _refused: list[str] = field(default_factory=list)  # rooms, since the last look
    _process: psutil.Process | None = None
    _seed: int = 0

    async def run(self, told: Told) -> list[Step]:
        self._process = await asyncio.to_thread(find_server, self.plan.url)
        coming = iter(arrivals(self.plan))
        waiting = next(coming, None)
        maker, steps = StepMaker(), list[Step]()
        before = await self._look()
        begin = before.at_s
        for span in spans(self.plan):
            while waiting is not None and (waiting.at_s < span.ends_s or span.is_hold):
                await self._until(begin + waiting.at_s)
                await self._let_come(waiting)
                waiting = next(coming, None)
            await self._until(begin + span.ends_s)
            step, before = await self._step(maker, span, before)
            steps.append(step)
            told(step)
        return steps

    async def _until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - self.now()))

    async def _let_come(self, client: Arrival) -> None:
        if client.room not in self._rooms:
            room = self._rooms[client.room] = await self.server.open_room(self.scene)
            if isinstance(room, Refused):
                if len(self._rooms) == 1:
                    raise LoadError(
                        f"the server opens no room now ({room.why}): wait, or raise its limits"
                    )
                self._refused.append(room.why)
        room = self._rooms[client.room]
        if isinstance(room, Refused):
            return  # nobody comes to a room that is not there
        order = {"do": client.kind, "room": room, "seat": client.seat, "seed": self._seed}
        self._seed += 1
        self.crew.come(order)

    async def _look(self) -> _Before:
        figures = await self.server.figures()
        now = self.now()
        return _Before(now, look(now, self._process), time.process_time(), figures)

    async def _step(self, maker: StepMaker, span: Span, before: _Before) -> tuple[Step, _Before]:
        processes = await self.crew.look()
        after = await self._look()
        seconds = after.at_s - before.at_s
        has_figures = before.figures is not None and after.figures is not None
        refused, self._refused = self._refused, []
        given = StepInput(
            begins_s=span.begins_s,
            ends_s=span.ends_s,
            is_hold=span.is_hold,
            rooms=sum(isinstance(room, str) for room in self._rooms.values()),
            processes=processes,
            cpu=(before.cpu, after.cpu),
            cores=cores(),
            own_cores=(after.own_s - before.own_s) / max(seconds, 1e-3),
            server=server_step(before.figures or {}, after.figures or {}, seconds)
            if has_figures
            else None,
            refused_rooms=refused,
        )
        return maker.make(given), after
