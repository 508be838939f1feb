from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamer.errors import SettingsError
from streamer.rooms.lead import LEAST_S, MARGIN_S, Lead
from streamer.rooms.lifetime import Lifetime, judge
from streamer.rooms.settings import RoomSettings

SETTINGS = RoomSettings(idle_s=60, longest_s=600, warning_s=10)


def test_the_lead_follows_the_slow_chunks_at_once() -> None:
    lead = Lead(chunk_s=0.32)
    for took in (0.1, 0.1, 0.2):
        lead = lead.observe(took)
    assert lead.seconds == pytest.approx(0.2 + MARGIN_S)


def test_the_lead_is_not_shortened_for_a_little() -> None:
    lead = Lead(chunk_s=0.32).observe(0.2)
    for _ in range(100):
        lead = lead.observe(0.19)
    assert lead.seconds == pytest.approx(0.2 + MARGIN_S)
    for _ in range(100):
        lead = lead.observe(0.1)
    assert lead.seconds == pytest.approx(0.1 + MARGIN_S)


def test_the_lead_never_leaves_its_bounds() -> None:
    assert Lead(chunk_s=0.16).observe(10.0).seconds == 0.16
    assert Lead(chunk_s=0.16).observe(0.0).seconds == LEAST_S


def test_an_idle_room_is_warned_once_and_then_ended() -> None:
    state = Lifetime(opened=0.0)
    told = []
    for now in range(100):
        verdict = judge(state, float(now), is_idle=True, settings=SETTINGS)
        state = verdict.state
        told += [(now, verdict.warning)] * (verdict.warning is not None)
        if verdict.end:
            break
    assert told == [(50, "idle")]
    assert (now, verdict.end) == (60, "idle")


def test_whoever_comes_takes_the_idle_warning_back() -> None:
    state = judge(Lifetime(opened=0.0), 0.0, is_idle=True, settings=SETTINGS).state
    warned = judge(state, 55.0, is_idle=True, settings=SETTINGS)
    assert warned.warning == "idle"
    state = judge(warned.state, 56.0, is_idle=False, settings=SETTINGS).state
    assert state.idle_since is None
    again = judge(replace(state, idle_since=56.0), 111.0, is_idle=True, settings=SETTINGS)
    assert again.warning == "idle"


def test_a_busy_room_ends_at_its_longest_after_a_warning() -> None:
    state = Lifetime(opened=0.0)
    early = judge(state, 589.0, is_idle=False, settings=SETTINGS)
    assert (early.warning, early.end) == (None, None)
    warned = judge(early.state, 591.0, is_idle=False, settings=SETTINGS)
    assert warned.warning == "length"
    assert warned.seconds_left == pytest.approx(9.0)
    assert judge(warned.state, 595.0, is_idle=False, settings=SETTINGS).warning is None
    assert judge(warned.state, 600.0, is_idle=False, settings=SETTINGS).end == "length"


@pytest.mark.parametrize("name", ["most_rooms", "most_viewers", "grace_s", "bitrate"])
def test_settings_that_allow_nothing_are_refused(name: str) -> None:
    nothing: dict[str, Any] = {name: 0}
    with pytest.raises(SettingsError, match=f"{name} must be above 0, got 0"):
        replace(SETTINGS, **nothing)


def test_a_warning_comes_before_its_end() -> None:
    with pytest.raises(SettingsError, match="warning_s=60"):
        RoomSettings(idle_s=60, warning_s=60)
