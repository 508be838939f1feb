"""Runs a plan over worker processes: resumable shard by shard, the same bytes however many workers.

One process draws on one core: llvmpipe's own threads only get in each other's way.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import multiprocessing
import queue
from collections.abc import Callable, Sequence
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import NamedTuple

from models.errors import InputError, ModelError
from training.studio.shards.archive import UNFINISHED
from training.studio.shards.making import ClipMaker, shard_path
from training.studio.shards.plan import RunPlan

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"
# For the environment of workers: libraries read it when they are loaded, so the caller sets it.
ONE_THREAD = {"LP_NUM_THREADS": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
POLL_S = 1.0


class RunError(ModelError):
    """A worker failed; the shards that were complete stay."""


class Message(NamedTuple):
    """What a worker tells: frames of a clip that is done, or why it gave up."""

    frames: int = 0
    error: str = ""


def render_run(
    run: RunPlan,
    folder: Path,
    assets: Path,
    shards: int,
    workers: int,
    on_frames: Callable[[int], None],
) -> int:
    """Render the shards of a run that are not there yet; give how many that were.

    Args:
        run: what to render.
        folder: where shards go; made when it is not there.
        assets: the studio's asset folder.
        shards: how many shards the whole run has.
        workers: processes, one for each core that may be used.
        on_frames: hears how many video frames were finished, clip by clip.

    Raises:
        InputError: when the folder holds another run.
        RunError: when a worker fails, or dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(run, folder)
    missing = [number for number in range(shards) if not shard_path(folder, number).exists()]
    if missing:
        _work_all(run, folder, assets, missing, workers, on_frames)
    return len(missing)


def _claim(run: RunPlan, folder: Path) -> None:
    """Write down what the folder's run is, or check that it is this one."""
    described = json.loads(json.dumps(dataclasses.asdict(run)))
    path = folder / RUN_FILE
    if path.exists():
        optional = {f.name: f.default for f in dataclasses.fields(RunPlan)}
        there = optional | json.loads(path.read_text())  # of runs before there were such wishes
        differing = sorted(k for k in described if there.get(k) != described[k])
        if differing:
            raise InputError(
                f"{folder} holds another run (differing: {', '.join(differing)}); "
                "use another --out, or the same settings to resume"
            )
    path.write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")
    for unfinished in folder.glob(f"*{UNFINISHED}"):
        unfinished.unlink()


def _work_all(
    run: RunPlan,
    folder: Path,
    assets: Path,
    numbers: Sequence[int],
    workers: int,
    on_frames: Callable[[int], None],
) -> None:
    spawn = multiprocessing.get_context("spawn")  # a forked OpenGL context does not work
    messages: Queue[Message] = spawn.Queue()
    processes: list[SpawnProcess] = []
    for worker in range(min(workers, len(numbers))):
        share = numbers[worker::workers]
        process = spawn.Process(target=_work, args=(run, folder, assets, share, messages))
        process.start()
        processes.append(process)
    try:
        _listen(processes, messages, on_frames)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _listen(
    processes: Sequence[SpawnProcess], messages: Queue[Message], on_frames: Callable[[int], None]
) -> None:
    """Pass progress on until every worker has ended."""
    while True:
        try:
            message = messages.get(timeout=POLL_S)
        except queue.Empty:
            if any(process.is_alive() for process in processes):
                continue
            failed = [process.exitcode for process in processes if process.exitcode]
            if failed:
                raise RunError(
                    f"a worker died with exit code {failed[0]}; run again to resume"
                ) from None
            return
        if message.error:
            raise RunError(message.error)
        on_frames(message.frames)


def _work(
    run: RunPlan, folder: Path, assets: Path, numbers: Sequence[int], messages: Queue[Message]
) -> None:
    """Make some shards: the main function of a worker process."""
    try:
        with ClipMaker(run, assets) as maker:
            for number in numbers:
                maker.make_shard(number, folder, lambda frames: _tell(messages, frames))
    except Exception as error:  # the parent must hear of it, whatever it is
        logger.exception("worker failed")
        messages.put(Message(error=f"{type(error).__name__}: {error}"))


def _tell(messages: Queue[Message], frames: int) -> None:
    """Pass progress on, or stop: who killed the main process does not want its workers either.

    Raises:
        RunError: when the main process is gone.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        raise RunError("the run's main process is gone; its shard is left unfinished")
    messages.put(Message(frames))
