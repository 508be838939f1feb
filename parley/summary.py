"""What a subcommand says of itself in one line, read from its source without importing it."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path


def summary(entry: EntryPoint) -> str:
    """Return the first docstring line of the module behind `entry`; empty when there is none.

    Importing the module would cost seconds where it needs torch, and fail where torch is not
    installed. Reading the docstring costs a millisecond.
    """
    source = _source_of(entry.module)
    if source is None:
        return ""
    docstring = ast.get_docstring(ast.parse(source.read_bytes()))
    return docstring.partition("\n")[0] if docstring else ""


def _source_of(module: str) -> Path | None:
    package, *inner = module.split(".")
    spec = find_spec(package)  # of a top-level name: finds it, runs nothing
    if spec is None:
        return None
    if not inner:
        return Path(spec.origin) if spec.origin else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder, *inner)
        for source in (base.with_suffix(".py"), base / "__init__.py"):
            if source.is_file():
                return source
    return None
