"""What can go wrong while a bundle is read or run.

EngineError
 +-- InputError     a picture, a voice, a box or an argument that cannot be used
 +-- DeviceError    a runtime, a provider or a GPU that is missing or failed
 +-- ArtifactError  a bundle that is incomplete, damaged, or made for something else
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of every error raised by `engines`; its text says what was wrong and what to do."""


class InputError(EngineError, ValueError):
    """Something from outside has the wrong form or values."""


class DeviceError(EngineError):
    """This machine cannot run what was asked for."""


class ArtifactError(EngineError):
    """A bundle, or a file of it, is not what it should be."""
