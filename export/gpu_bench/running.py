"""All cases one after another: each boxed in time, what fails is reported, memory is given back."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from types import FrameType
from typing import Any, NamedTuple

import torch

from export.errors import ExportError
from export.families.family import Family
from export.fp8_linear import quantize_linears
from export.gpu_bench.cases import Case, Mode
from export.gpu_bench.chunk_loop import (
    Decoder,
    Passes,
    Times,
    compile_blocks,
    measure_chunk,
    run_plain,
)
from export.gpu_bench.limits import Device, Work, least_seconds, work_of
from export.gpu_bench.networks import (
    Model,
    Window,
    form_on,
    largest_inputs,
    on_meta,
    random_family,
    random_vae,
    shape_of,
)
from models.errors import ModelError
from models.vae.wan_vae import WanVAE

COMPILED = frozenset({Mode.COMPILED, Mode.BEST})
GIB = 2**30
FRAMES_PER_LATENT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One case; the field names are those of --json."""

    model: str
    size: str
    people: int
    precision: str
    mode: str
    steps: int
    fps: float | None  # video frames a second, the decoder beside the next chunk's passes
    chunk_ms: float | None  # behind fps
    passes_ms: float | None  # steps and cache pass
    decode_ms: float | None
    first_frame_ms: float | None  # from noise to a chunk's pixels
    limit_ms: float | None  # of the passes
    limit_percent: float | None
    memory_gib: float | None  # the most that the GPU held
    seconds: float  # that the case took
    error: str | None


class Plan(NamedTuple):
    """How all cases are run."""

    window: Window
    chunks: int  # measured, of each part
    total_seconds: float
    case_seconds: float
    backend: str  # of torch.compile


class CaseTimeoutError(ExportError):
    """A case took longer than it may."""


@contextmanager
def time_box(seconds: float) -> Iterator[None]:
    """Raise in the body when it takes longer; belongs on the main thread.

    Raises:
        CaseTimeoutError: in the body, when the time is over.
    """

    def over(_number: int, _frame: FrameType | None) -> None:
        raise CaseTimeoutError(f"took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Bench:
    """The cases on one device. Owns the networks of the model that is measured."""

    def __init__(self, device: torch.device, limits: Device, plan: Plan) -> None:
        self._device = device
        self._limits = limits
        self._plan = plan
        self._began = time.monotonic()

    @property
    def seconds_left(self) -> float:
        return self._plan.total_seconds - (time.monotonic() - self._began)

    def run(
        self, model: Model, cases: Sequence[Case], tell: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """Measure all cases of one model; give the outcomes, failures among them."""
        outcomes = []
        try:
            with time_box(max(1.0, self.seconds_left)):
                family = random_family(model, self._device)
                vae = random_vae(model, self._device)
        except (ExportError, ModelError, RuntimeError, MemoryError) as error:
            return [self._failed(case, 0.0, error) for case in cases]
        for precision, group in groupby(cases, key=lambda case: case.precision):
            if precision == "fp8":
                quantize_linears(family.dit, largest_inputs(family.dit))
            for case in group:
                outcome = self._try(model, family, vae, case)
                tell(outcome)
                outcomes.append(outcome)
        del family, vae
        self._free()
        return outcomes

    def _try(self, model: Model, family: Family, vae: WanVAE, case: Case) -> Outcome:
        began = time.monotonic()
        if self.seconds_left <= 0:
            return self._failed(case, 0.0, CaseTimeoutError("no time is left"))
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        try:
            with time_box(min(self._plan.case_seconds, self.seconds_left)):
                shape = shape_of(case.size, self._plan.window)
                work = work_of(on_meta(model, self._device), shape, form_on(self._device))
                times = self._measure(family, vae, case)
        # What a compiler or a driver raises shares no base; the next case must have its turn.
        except Exception as error:  # noqa: BLE001
            return self._failed(case, time.monotonic() - began, error)
        finally:
            run_plain(family)
            self._free()
        return self._outcome(case, time.monotonic() - began, times, work)

    def _measure(self, family: Family, vae: WanVAE, case: Case) -> Times:
        shape = shape_of(case.size, self._plan.window)
        if case.mode in COMPILED:
            compile_blocks(family, self._plan.backend)
        passes = Passes(family, shape, self._device)
        decoder = Decoder(vae, shape, self._device)
        return measure_chunk(passes, decoder, case.steps, case.mode, self._plan.chunks)

    def _outcome(self, case: Case, seconds: float, times: Times, work: Work) -> Outcome:
        frames = FRAMES_PER_LATENT * self._plan.window.chunk_frames
        least = least_seconds(work, case.steps + 1, self._limits, case.precision) * 1e3
        memory = 0
        if self._device.type == "cuda":
            memory = torch.cuda.max_memory_allocated(self._device)
        return Outcome(
            **_facts(case),
            fps=round(frames / times.together * 1e3, 1),
            chunk_ms=round(times.together, 2),
            passes_ms=round(times.passes, 2),
            decode_ms=round(times.decode, 2),
            first_frame_ms=round(times.first_frame, 2),
            limit_ms=round(least, 2),
            limit_percent=round(100 * least / times.passes, 1),
            memory_gib=round(memory / GIB, 2),
            seconds=round(seconds, 1),
            error=None,
        )

    def _failed(self, case: Case, seconds: float, error: BaseException) -> Outcome:
        line = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Outcome(
            **_facts(case),
            fps=None,
            chunk_ms=None,
            passes_ms=None,
            decode_ms=None,
            first_frame_ms=None,
            limit_ms=None,
            limit_percent=None,
            memory_gib=None,
            seconds=round(seconds, 1),
            error=line,
        )

    def _free(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _facts(case: Case) -> dict[str, Any]:
    return {
        "model": case.model,
        "size": f"{case.size.width}x{case.size.height}",
        "people": case.size.people,
        "precision": case.precision,
        "mode": case.mode.value,
        "steps": case.steps,
    }
