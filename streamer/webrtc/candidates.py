"""Which addresses a client may name: a server that knocks at any of them could be sent anywhere.

A candidate that is refused is dropped in silence, as RFC 9725 has it, and mostly nothing is lost:
the client still reaches us at our addresses, and answering where a valid request came from is no
request of ours.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # of carriers; clouds run services there
KINDS = frozenset({"host", "srflx", "prflx", "relay"})


class Named(NamedTuple):
    """What an a=candidate line names."""

    host: str
    port: int
    transport: str  # lower case
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePolicy:
    """Where we may send the first packet."""

    allow_private: bool = False
    allow_loopback: bool = False
    least_port: int = 1024  # below are services (DNS, NTP, SNMP), not peers

    def allows(self, candidate: Named) -> bool:
        """Say whether we may knock there."""
        if candidate.transport != "udp" or candidate.kind not in KINDS:
            return False
        if not self.least_port <= candidate.port <= 65535:
            return False
        if candidate.host.lower().endswith(".local"):
            return self.allow_private  # a name that is asked for in this network only
        try:
            address = ipaddress.ip_address(candidate.host)
        except ValueError:
            return False  # a name to look up is a request of its own
        if address.version == 6 and address.sixtofour is not None:
            return False  # 6to4, retired by RFC 7526: whoever relays it may be anybody
        return self._allows_address(_meant(address))

    def _allows_address(self, address: Address) -> bool:
        if address.is_loopback:
            return self.allow_loopback
        if address.is_multicast or address.is_unspecified or address.is_link_local:
            return False
        if address.version == 4 and address.is_reserved:  # 240/4, with the broadcast address
            return False
        if address.is_private or (address.version == 4 and address in SHARED):
            return self.allow_private
        return address.is_global


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def parse_candidate(line: str) -> Named | None:
    """Read an a=candidate line, without a=; None when it is none.

    Source: RFC 8839, section 5.1.
    """
    if not line.startswith("candidate:"):
        return None
    parts = line.removeprefix("candidate:").split()
    if len(parts) < 8 or parts[6] != "typ":
        return None
    try:
        port = int(parts[5])
        int(parts[1]), int(parts[3])  # component and priority: aiortc reads them as numbers too
    except ValueError:
        return None
    if len(parts) % 2 or parts[7] not in KINDS:
        return None
    return Named(parts[4], port, parts[2].lower(), parts[7])
