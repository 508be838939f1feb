"""Firefox, driven by WebDriver BiDi, which it speaks itself: no driver program is needed.

Source: https://www.w3.org/TR/webdriver-bidi/.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
PATIENCE = 120.0  # seconds, for a loaded machine
PREFERENCES = {
    "media.navigator.streams.fake": True,  # a pretended microphone, which hums
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "services.settings.server": "http://127.0.0.1:9",  # nobody is asked for anything
}


class FirefoxPage:
    """One tab; `errors` is what pages complained about."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        tree = self._ask("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    def open(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Give what JavaScript gives, as JSON; as if the user had just clicked."""
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer.get("exceptionDetails", answer)
        value = answer["result"].get("value")
        return None if value is None else json.loads(value)

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self._connection.recv(timeout=PATIENCE))
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors.append(str(said["params"]["text"]))
            if said.get("id") == number:
                assert said["type"] == "success", said
                return said["result"]


@contextmanager
def firefox(profile: Path) -> Iterator[FirefoxPage]:
    """Start Firefox without a window, in a profile of its own."""
    assert PROGRAM is not None
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines) + "\n")
    command = [PROGRAM, "--headless", "--no-remote", "--profile", str(profile)]
    process = subprocess.Popen(
        [*command, "--remote-debugging-port", "0", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    draining: threading.Thread | None = None
    try:
        assert process.stderr is not None
        listening = (
            re.search(r"WebDriver BiDi listening on (ws://\S+)", x) for x in process.stderr
        )
        url = next(found.group(1) for found in listening if found)
        # Nobody reads on here; a full pipe would stop the browser.
        draining = threading.Thread(target=process.stderr.read, daemon=True)
        draining.start()
        with connect(f"{url}/session", max_size=None) as connection:
            yield FirefoxPage(connection)
    finally:
        process.kill()
        process.wait()
        if draining is not None:
            draining.join()
        if process.stderr is not None:
            process.stderr.close()
