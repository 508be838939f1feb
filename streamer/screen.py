"""Shows the page to whoever started the server, where there is a browser to show it in."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser


def show(url: str) -> bool:
    """Open a browser of this machine in the background; False where there is none.

    `BROWSER` names one, as for other programs. Otherwise there must be a screen, and a browser
    that has a window: one in the terminal would take the server's own output away.
    """
    if not _has_browser():
        return False
    # Some browsers come back only when they are closed.
    threading.Thread(target=webbrowser.open, args=(url,), name="browser", daemon=True).start()
    return True


def _has_browser() -> bool:
    if os.environ.get("BROWSER"):
        return True
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in screens):
        return False
    try:
        chosen = webbrowser.get()
    except webbrowser.Error:
        return False
    return type(chosen) is not webbrowser.GenericBrowser  # which are those of terminals
