"""What is read from offers and fragments, whatever a stranger sends."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.http.fragments import describe, describe_offer
from streamer.http.problem import Code, Problem
from tests.streamer.fuzzing import budget

OFFER = (
    b"v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    b"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\n"
)
CANDIDATE = b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"


def test_an_offer_is_read_with_either_line_end() -> None:
    crlf, lf = describe_offer(OFFER, 9), describe_offer(OFFER.replace(b"\r\n", b"\n"), 9)
    assert crlf == lf
    assert crlf.ufrags == {"abcd"}


def test_candidates_are_counted_to_the_last_that_is_allowed() -> None:
    assert describe(CANDIDATE * 100, 100).candidates == 100
    with pytest.raises(Problem) as caught:
        describe(CANDIDATE * 101, 100)
    assert caught.value.code is Code.TOO_LARGE


def test_other_ice_credentials_are_a_restart() -> None:
    offer = describe_offer(OFFER, 9)
    assert not describe(b"a=ice-ufrag:abcd\r\n" + CANDIDATE, 9).is_restart_of(offer)
    assert not describe(CANDIDATE, 9).is_restart_of(offer)
    assert describe(b"a=ice-ufrag:efgh\r\n", 9).is_restart_of(offer)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"\xff\xfe", b"v=0\r\n", b"v=0\r\nm", b"v=0\0\r\nm=a"]
)
def test_what_is_no_offer_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        describe_offer(body, 9)
    assert caught.value.code is Code.MALFORMED


@budget(100)
@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(Problem):  # anything else is a bug
        described = describe(body, 5)
        assert described.candidates <= 5
        assert "\n" not in described.text.replace("\r\n", "")
