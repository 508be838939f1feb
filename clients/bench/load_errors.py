"""What ends a load bench before it has measured anything."""

from __future__ import annotations


class LoadError(Exception):
    """Nothing can be measured; the sentence says why and what to do."""
