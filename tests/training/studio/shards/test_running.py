from __future__ import annotations

import multiprocessing
import queue
from multiprocessing.queues import Queue
from types import SimpleNamespace
from typing import cast

import pytest

from training.studio.shards import running
from training.studio.shards.running import Message, RunError


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_worker_stops_when_the_main_process_is_gone(
    monkeypatch: pytest.MonkeyPatch, is_alive: bool
) -> None:
    told: queue.Queue[Message] = queue.Queue()
    parent = SimpleNamespace(is_alive=lambda: is_alive)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    messages = cast("Queue[Message]", told)
    if is_alive:
        running._tell(messages, 25)
        assert told.get_nowait().frames == 25
    else:
        with pytest.raises(RunError, match="main process is gone"):
            running._tell(messages, 25)
        assert told.empty()
