"""What can go wrong between weights and a bundle.

ExportError
 +-- RequestError   what was asked for contradicts itself or the preset
 +-- SpaceError     the disk or the memory does not hold what would be made
 +-- ParityError    an exported network differs too much from torch
 +-- CompileError   a runtime's compiler refused a graph, or did not make of it what it should
"""

from __future__ import annotations


class ExportError(Exception):
    """Base of every error raised by `export`; its text says what was wrong and what to do."""


class RequestError(ExportError, ValueError):
    """What was asked for contradicts itself or the preset."""


class SpaceError(ExportError):
    """The disk or the memory does not hold what would be made."""


class ParityError(ExportError):
    """An exported network differs too much from torch."""


class CompileError(ExportError):
    """A runtime's compiler refused a graph, or did not make of it what it should."""
