"""Runs a bundle: the runtimes, the few-step sampler and the rolling avatar stream.

Imports nothing of ours, and torch only in its one optional runtime.
"""

import os

# ONNX Runtime reports to its maker from 1.29 on, unless told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
