"""Settings: from where they come, and every fault at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from streamer.settings import load_settings

KEY = "0123456789abcdef0123456789abcdef"


def faults(flags: dict[str, Any], file: Path | None = None) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        load_settings(file, flags)
    return {".".join(map(str, each["loc"])): each["msg"] for each in caught.value.errors()}


def test_the_defaults_are_open_on_loopback_alone() -> None:
    settings = load_settings(None, {})
    assert settings.server.host == "127.0.0.1"
    assert not settings.needs_token
    assert settings.video.badge


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "parley.toml"
    file.write_text("[limits]\nrooms = 1\nviewers = 1\nscenes = 1\n[server]\nport = 1\n")
    monkeypatch.setenv("PARLEY_LIMITS__ROOMS", "2")
    monkeypatch.setenv("PARLEY_LIMITS__VIEWERS", "2")
    monkeypatch.setenv("PARLEY_RATES__POST__BURST", "7")
    monkeypatch.setenv("PARLEY_RATES__POST__PER_MINUTE", "70")
    settings = load_settings(file, {"limits": {"rooms": 3}})
    limits = settings.limits
    assert (limits.rooms, limits.viewers, limits.scenes) == (3, 2, 1)
    assert settings.server.port == 1
    assert settings.rates.post.per_minute == 70


def test_every_fault_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "parley.toml"
    file.write_text("[limits]\nrooms = 0\nwarning_seconds = 900\n[bogus]\nx = 1\n")
    monkeypatch.setenv("PARLEY_VIDEO__KBPS", "fast")
    flags = {
        "server": {"host": "0.0.0.0", "port": 99_999},  # noqa: S104
        "ice": {"turn": ["turn:t.example"], "turn_seconds": -1},
        "browser": {"origins": ["evil"]},
    }
    found = faults(flags, file)
    assert set(found) == {
        "limits.rooms",
        "bogus",
        "video.kbps",
        "server.port",
        "ice",
        "ice.turn_seconds",
        "browser.origins.0",
        "limits.warning_seconds",
        "auth.key",
    }
    assert "0.0.0.0 is not loopback" in found["auth.key"]
    assert "turn_secret" in found["ice"]


def test_two_halves_of_tls_are_needed() -> None:
    assert "tls_certificate and tls_key" in faults({"server": {"tls_key": "key.pem"}})["server"]


def test_beyond_loopback_a_key_is_needed_or_a_decision() -> None:
    host = {"host": "192.0.2.1"}
    assert "auth.key" in faults({"server": host})
    assert load_settings(None, {"server": host, "auth": {"key": KEY}}).needs_token
    assert not load_settings(None, {"server": host, "auth": {"mode": "off"}}).needs_token
    assert "auth.mode is on" in faults({"auth": {"mode": "on"}})["auth.key"]


def test_a_key_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert load_settings(None, {"auth": {"key_file": str(file)}}).auth.secret() == KEY.encode()
    assert "not both" in faults({"auth": {"key_file": str(file), "key": KEY}})["auth"]
    missing = {"auth": {"key_file": str(tmp_path / "none"), "mode": "on"}}
    assert "cannot read" in faults(missing)["auth"]


def test_a_short_key_is_refused_and_not_shown() -> None:
    found = faults({"auth": {"key": "hunter2"}})
    assert "has 7 bytes, it needs 32" in found["auth.key"]
    assert "hunter2" not in str(found)


def test_secrets_are_not_printed() -> None:
    settings = load_settings(None, {"auth": {"key": KEY}})
    assert KEY not in repr(settings)


def test_a_missing_file_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_settings(tmp_path / "none.toml", {})
