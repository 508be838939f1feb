"""The web pages that an installed package brings along, found by entry point.

An entry point of the group `parley.pages` names a folder: `bench = "package.module:FOLDER"` puts
its `index.html` at `/bench` and every file at `/bench/FILE`; the one named `meeting` is at `/` as
well. The folders are read once, when the server starts: no path of a request ever reaches the file
system.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streamer.errors import InvalidInput

logger = logging.getLogger(__name__)
GROUP = "parley.pages"
ROOT_PAGE = "meeting"
INDEX = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wav": "audio/wav",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "'self' blob: mediastream:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
# Whom else a page may ask. The bot page asks a speech service that its user names.
OTHERS = {"bot": "https: http://127.0.0.1:* http://localhost:*"}
HEADERS = {
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # kept, and asked for again by its ETag: never an old module
    "Vary": "Accept-Encoding",
}
NO_PAGES = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Parley</title></head>
<body><h1>Parley</h1>
<p>This server speaks to programs; no web page is installed beside it.
<a href="/admin">/admin</a> shows its rooms,
<a href="/openapi.json">/openapi.json</a> describes its calls.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, ready to be sent."""

    data: bytes
    zipped: bytes | None  # None where zipping does not pay
    media_type: str
    etag: str
    policy: str

    @classmethod
    def of(cls, data: bytes, suffix: str, page: str = "") -> PageFile:
        """Make one file of a page.

        Raises:
            KeyError: when no such file belongs to a page.
        """
        media_type = TYPES[suffix]
        zipped = gzip.compress(data, mtime=0)
        is_smaller = len(zipped) < len(data)
        etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        return cls(data, zipped if is_smaller else None, media_type, etag, _policy(page))

    async def answer(self, request: Request) -> Response:
        """Send it, or say that the client has it already."""
        headers = {**HEADERS, "Content-Security-Policy": self.policy, "ETag": self.etag}
        known = request.headers.get("if-none-match", "")
        if self.etag in [each.strip().removeprefix("W/") for each in known.split(",")]:
            return Response(status_code=304, headers=headers)
        body = self.data
        if self.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = self.zipped
        return Response(body, headers=headers, media_type=self.media_type)


Folder: TypeAlias = Mapping[str, PageFile]  # by path below the folder, with slashes


def installed_pages() -> dict[str, Folder]:
    """Read every page that is installed, by name. Blocks.

    Raises:
        InvalidInput: when a package names what is no folder of a page.
    """
    return {entry.name: _read(entry) for entry in entry_points(group=GROUP)}


def page_routes(pages: Mapping[str, Folder]) -> Iterable[Route]:
    """Give a route for every file. They belong behind all other routes."""
    if ROOT_PAGE in pages:
        yield _route("/", pages[ROOT_PAGE][INDEX])
    else:
        yield _route("/", PageFile.of(NO_PAGES.encode(), ".html"))
    for name, folder in pages.items():
        yield _route(f"/{name}", folder[INDEX])
        for path, file in folder.items():
            yield _route(f"/{name}/{path}", file)


def _route(path: str, file: PageFile) -> Route:
    return Route(path, file.answer, methods=["GET"], include_in_schema=False)


def _policy(page: str) -> str:
    allowed = {**POLICY, "connect-src": f"{POLICY['connect-src']} {OTHERS.get(page, '')}".strip()}
    return "; ".join(f"{name} {what}" for name, what in allowed.items())


def _read(entry: EntryPoint) -> Folder:
    try:
        root = Path(entry.load())
        paths = [path for path in sorted(root.rglob("*")) if path.suffix in TYPES]
    except (ImportError, AttributeError, TypeError, OSError) as error:
        raise InvalidInput(f"the page {entry.name} ({entry.value}) has no folder: {error}") from (
            error
        )
    files = {
        path.relative_to(root).as_posix(): PageFile.of(path.read_bytes(), path.suffix, entry.name)
        for path in paths
        if path.is_file()
    }
    if INDEX not in files:
        raise InvalidInput(f"the page {entry.name} has no {INDEX} in {root}")
    logger.debug("page %s: %d files from %s", entry.name, len(files), root)
    return files
