"""STUN and TURN servers for clients, with short-lived credentials as coturn checks them.

Source: draft-uberti-behave-turn-rest-00: the name is `expiry:user`, the password is
base64(HMAC-SHA1(secret, name)).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server, in the words of RTCIceServer."""

    urls: str
    username: str | None = None
    credential: str | None = None

    def link(self) -> str:
        """Give the Link header's value, as RFC 9725 section 4.6 has it."""
        link = f'<{self.urls}>; rel="ice-server"'
        if self.username is None:
            return link
        return (
            f'{link}; username="{self.username}"; credential="{self.credential}"; '
            'credential-type="password"'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IcePlan:
    """Which servers there are, and the secret that is shared with TURN."""

    stun: Sequence[str] = ()
    turn: Sequence[str] = ()
    secret: bytes = b""
    seconds: float = 3600.0

    def servers(self, user: str, wall_time: float) -> list[IceServer]:
        """Give the servers with credentials for a user, valid from `wall_time` (since 1970)."""
        plain = [IceServer(url) for url in self.stun]
        if not self.turn:
            return plain
        username = f"{int(wall_time + self.seconds)}:{user}"
        digest = hmac.new(self.secret, username.encode(), hashlib.sha1).digest()
        credential = base64.b64encode(digest).decode()
        return plain + [IceServer(url, username, credential) for url in self.turn]

    def links(self, user: str, wall_time: float) -> dict[str, str]:
        """Give the Link header, empty when there are no servers."""
        links = [server.link() for server in self.servers(user, wall_time)]
        return {"Link": ", ".join(links)} if links else {}
