"""Names nobody can guess: 128 random bits, safe in a URL."""

from __future__ import annotations

import ipaddress
import re
import secrets

RANDOM_BYTES = 16
PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
_PATTERN = re.compile(PATTERN)


def new_id() -> str:
    """Make an identifier of 128 bits from the system's secure source, 22 characters."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def is_id(text: str) -> bool:
    """Say whether a text has the form of an identifier."""
    return _PATTERN.fullmatch(text) is not None


def address_key(host: str) -> str:
    """Give what counts as one stranger: an IPv4 address, or an IPv6 network of 64 bits.

    A household has a whole /64, so a count by single IPv6 addresses would limit nobody.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host  # a unix socket or a test client
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def is_loopback(host: str) -> bool:
    """Say whether a host that is listened on, or named in a URL, is this machine alone."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
