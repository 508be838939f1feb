"""What can go wrong on the ground floor.

ModelError
 +-- ConfigError      an architecture that cannot be built
 +-- InputError       a tensor or a scene that a network cannot take
 +-- CheckpointError  files that do not hold the weights they should
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error raised by `models`; its text says what was wrong and what to do."""


class ConfigError(ModelError, ValueError):
    """An architecture's numbers contradict each other."""


class InputError(ModelError, ValueError):
    """A tensor has the wrong shape or values, or a scene is one the network is not defined for."""


class CheckpointError(ModelError):
    """A checkpoint is incomplete, misshapen, unreadable or not the one asked for."""
