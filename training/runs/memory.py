"""Makes the C library keep freed memory: training asks for the same large blocks at every step."""

from __future__ import annotations

import ctypes
import ctypes.util
import logging

logger = logging.getLogger(__name__)

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_NEVER = 2**31 - 1
_SPARE_BYTES = 1 << 28


def keep_freed_memory() -> None:
    """Stop glibc from giving large blocks back to the system; elsewhere do nothing.

    Fresh pages are zeroed by the kernel and faulted in one by one, which took a quarter of a
    convolutional training step's time.
    """
    library = ctypes.CDLL(ctypes.util.find_library("c"))
    if not hasattr(library, "mallopt"):
        logger.debug("no mallopt here; memory is handed back after every step")
        return
    library.mallopt(_MMAP_THRESHOLD, _NEVER)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    library.mallopt(_TOP_PAD, _SPARE_BYTES)
