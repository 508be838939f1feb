from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.webrtc.candidates import CandidatePolicy, Named, parse_candidate
from tests.streamer.fuzzing import budget

STRICT = CandidatePolicy()
INSIDE = [
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.9",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "name.local",
]
NEVER = [
    "169.254.169.254",  # where clouds keep their secrets
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",  # noqa: S104  (an address that is refused)
    "::",
    "255.255.255.255",
    "240.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:0a00:0001::1",
    "2002:a26e:ee64:7400::",
    "example.org",
    "localhost",
    "127.1",
    "2130706433",
]


def host(address: str, port: int = 50000) -> Named:
    return Named(address, port, "udp", "host")


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert STRICT.allows(host(address))


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_allowed_only_where_settings_say_so(address: str) -> None:
    assert not STRICT.allows(host(address))
    assert CandidatePolicy(allow_private=True).allows(host(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_allowed_only_where_settings_say_so(address: str) -> None:
    assert not CandidatePolicy(allow_private=True).allows(host(address))
    assert CandidatePolicy(allow_loopback=True).allows(host(address))


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_allowed(address: str) -> None:
    assert not CandidatePolicy(allow_private=True, allow_loopback=True).allows(host(address))


@pytest.mark.parametrize("port", [-1, 0, 53, 123, 1023, 65536])
def test_ports_of_services_are_refused(port: int) -> None:
    assert not STRICT.allows(host("9.9.9.9", port))


def test_only_udp_is_tried() -> None:
    assert not STRICT.allows(Named("9.9.9.9", 50000, "tcp", "host"))


@budget(100)
@given(st.ip_addresses())
def test_what_the_strict_policy_allows_is_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if STRICT.allows(host(str(address))):
        assert address.is_global
        assert not address.is_multicast


def test_a_candidate_line_is_read() -> None:
    line = "candidate:1 1 UDP 2122 9.9.9.9 50000 typ srflx raddr 0.0.0.0 rport 9 generation 0"
    assert parse_candidate(line) == Named("9.9.9.9", 50000, "udp", "srflx")


@budget(100)
@given(st.text(max_size=80))
def test_no_text_whatever_makes_the_reader_fail(text: str) -> None:
    for line in (text, "candidate:" + text, "candidate:1 1 udp 1 9.9.9.9 1 typ " + text):
        parse_candidate(line)
