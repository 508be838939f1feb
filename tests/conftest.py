"""Settings every test runs under: environment variables, so that no run imports torch for them."""

from __future__ import annotations

import os

# One thread for torch: small tensors gain nothing from more, and timings stay comparable.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing is fetched from a model hub by accident.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# asyncio reports a coroutine never awaited and a callback that blocks the loop.
os.environ.setdefault("PYTHONASYNCIODEBUG", "1")
