"""Which pages may use the server."""

from __future__ import annotations

import pytest

from streamer.http.gate import HostRules
from streamer.http.origins import OriginRules

RULES = OriginRules(["https://app.example.org", "http://localhost:3000"])
HOST = "parley.example.org"


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.org",
        "https://APP.example.org:443",
        "http://localhost:3000",
        "https://parley.example.org",
        "http://parley.example.org",
    ],
)
def test_a_listed_page_and_our_own_may(origin: str) -> None:
    assert RULES.allows(origin, HOST)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://app.example.org",
        "https://app.example.org.evil.org",
        "https://evil.org",
        "http://localhost:3001",
        "https://parley.example.org:8443",
        "https://parley.example.org@evil.org",
        "https://[",
        "https://x:99999999",
    ],
)
def test_any_other_page_may_not(origin: str) -> None:
    assert not RULES.allows(origin, HOST)


def test_our_own_page_counts_with_its_port() -> None:
    assert OriginRules([]).allows("http://127.0.0.1:8080", "127.0.0.1:8080")
    assert not OriginRules([]).allows("http://127.0.0.1:9090", "127.0.0.1:8080")
    assert OriginRules([]).allows("http://[::1]:8080", "[::1]:8080")


def test_a_star_lets_every_page_in() -> None:
    assert OriginRules(["*"]).allows("https://evil.org", HOST)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "[::1]"])
def test_an_open_server_answers_to_loopback_names(host: str) -> None:
    assert HostRules((), is_open=True).allows(host)


@pytest.mark.parametrize("host", ["evil.org", "evil.org:8080", "", "127.0.0.1.evil.org:80"])
def test_an_open_server_answers_to_no_name_that_a_page_could_rebind(host: str) -> None:
    assert not HostRules((), is_open=True).allows(host)
    assert HostRules((), is_open=False).allows(host)


def test_a_list_of_hosts_is_kept_to() -> None:
    rules = HostRules(("parley.example.org",), is_open=False)
    assert rules.allows("Parley.example.org:443")
    assert not rules.allows("127.0.0.1")
