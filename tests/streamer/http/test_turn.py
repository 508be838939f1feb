"""Credentials as coturn checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac

from streamer.http.turn import IcePlan

PLAN = IcePlan(
    stun=("stun:stun.example.org",),
    turn=("turn:turn.example.org?transport=udp", "turns:turn.example.org"),
    secret=b"shared with coturn",
    seconds=600,
)


def test_a_credential_is_what_coturn_computes() -> None:
    _, turn, _ = PLAN.servers("anna", 1_800_000_000.9)
    assert turn.username == "1800000600:anna"
    # RFC 2104 by hand, from RFC 2202's definition, so that no library call is compared with itself
    block = PLAN.secret.ljust(64, b"\0")
    inner = hashlib.sha1(bytes(b ^ 0x36 for b in block) + turn.username.encode()).digest()  # noqa: S324
    outer = hashlib.sha1(bytes(b ^ 0x5C for b in block) + inner).digest()  # noqa: S324
    assert turn.credential is not None
    assert hmac.compare_digest(base64.b64decode(turn.credential), outer)


def test_the_link_header_has_the_form_of_the_rfc() -> None:
    links = PLAN.links("anna", 0)["Link"].split(", ")
    assert links[0] == '<stun:stun.example.org>; rel="ice-server"'
    assert links[1].startswith(
        '<turn:turn.example.org?transport=udp>; rel="ice-server"; username="600:anna"; credential="'
    )
    assert links[1].endswith('credential-type="password"')
    assert len(links) == 3


def test_without_servers_there_is_no_link_header() -> None:
    assert IcePlan().links("anna", 0) == {}
