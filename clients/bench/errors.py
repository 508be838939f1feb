"""What goes wrong in a bench; every error says in one line what to do."""

from __future__ import annotations


class BenchError(Exception):
    """Any error of a bench: what was expected, what came, what to do."""
