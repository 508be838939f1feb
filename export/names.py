"""Names that come from folders, refused before anything heavy begins."""

from __future__ import annotations

import re
from pathlib import Path

from engines.manifest import PART_NAME
from export.errors import RequestError


def require_name(folder: Path) -> str:
    """Give a folder's name where it can name a scene or a conversation of a bundle.

    Raises:
        RequestError: when it cannot.
    """
    name = folder.resolve().name
    if re.fullmatch(PART_NAME, name) is None:
        raise RequestError(
            f"{folder}: the folder's name becomes a name in the bundle, and {name!r} cannot; "
            "use a-z, 0-9, - and _, a letter or digit first, 64 at most"
        )
    return name
