"""The page for whoever runs the server. It holds no secrets: what it shows, it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from starlette.responses import FileResponse

router = APIRouter(include_in_schema=False)
PAGES = Path(__file__).parent / "pages"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@router.get("/admin")
async def page() -> FileResponse:
    """Give the page."""
    return FileResponse(PAGES / "admin.html", headers=HEADERS)


@router.get("/admin/{name}")
async def part(name: Literal["admin.js", "admin.css"]) -> FileResponse:
    """Give a part of it."""
    return FileResponse(PAGES / name, headers=HEADERS)
