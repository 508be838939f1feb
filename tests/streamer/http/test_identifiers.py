"""Names nobody guesses, and who counts as one stranger."""

from __future__ import annotations

import base64

import pytest

from streamer.http.identifiers import address_key, is_id, is_loopback, new_id


def test_an_identifier_holds_128_bits_and_is_new_each_time() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(base64.urlsafe_b64decode(each + "==")) == 16 for each in made)
    assert all(is_id(each) for each in made)


@pytest.mark.parametrize("text", ["", "a" * 65, "a/b", "../x", "a\n", "é", "a b"])
def test_other_text_is_no_identifier(text: str) -> None:
    assert not is_id(text)


def test_a_household_is_one_stranger() -> None:
    assert address_key("2001:db8:1:2::5") == address_key("2001:db8:1:2:ffff::9")
    assert address_key("2001:db8:1:2::5") != address_key("2001:db8:1:3::5")


def test_an_ipv4_address_is_itself_in_either_form() -> None:
    assert address_key("::ffff:192.0.2.7") == address_key("192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LocalHost"]
)
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.1", "::", "192.168.1.2", "example.org", "127.0.0.1.evil.org"]
)
def test_every_other_host_is_not(host: str) -> None:
    assert not is_loopback(host)
