"""Every page and state: no serious finding of axe-core, nothing heavy, no complaint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.web.conftest import FRAMES, PACKAGES, STATE, Served, Visit, open_a_room, serving

AXE = PACKAGES / "node_modules" / "axe-core" / "axe.min.js"
MOST_BYTES = 200_000
WEIGHT = """() => [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource")]
  .filter((each) => /[.](js|css|svg|png|html)$|^navigate/.test(each.name.split("?")[0]) ||
    each.entryType === "navigation")
  .reduce((sum, each) => sum + each.decodedBodySize, 0)"""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not AXE.is_file(), reason=f"no {AXE}; see docs/clients.md"),
]


def findings(visit: Visit) -> list[Any]:
    """Run axe-core beside the page, whose own policy would not let it in."""
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found: list[Any] = visit.page.evaluate(
        """async () => (await axe.run()).violations
          .filter((each) => ["serious", "critical"].includes(each.impact))
          .map((each) => [each.id, each.nodes.map((node) => node.html.slice(0, 120))])"""
    )
    devtools.detach()
    return found


def show_lobby(visit: Visit, server: Served) -> None:
    visit.page.goto(f"{server.url}/?lobby")
    visit.page.locator("#scenes .card").wait_for()


def show_seat_with_everything_open(visit: Visit, server: Served) -> None:
    visit.page.context.grant_permissions(["microphone"], origin=server.url)
    open_a_room(visit, server)
    visit.page.get_by_role("button", name="Speak as person 1").click()
    visit.page.get_by_role("button", name="Microphone", exact=True).click()
    visit.page.get_by_role("button", name="Figures").click()
    visit.page.get_by_role("button", name="Leave the seat").wait_for()


def show_share(visit: Visit, server: Served) -> None:
    open_a_room(visit, server)
    visit.page.get_by_role("button", name="Share").click()


def show_denied(visit: Visit, server: Served) -> None:
    open_a_room(visit, server)
    visit.page.get_by_role("button", name="Speak as person 1").click()
    visit.page.get_by_role("alert").wait_for()


def show_door(visit: Visit, server: Served) -> None:
    visit.page.goto(f"{server.url}/?door")
    visit.page.locator("#door").wait_for()


def show_bot(visit: Visit, server: Served) -> None:
    open_a_room(visit, server)
    visit.page.get_by_role("link", name="bot page").click()
    visit.wait(f"{FRAMES} > 0")
    visit.page.locator("summary").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "show",
    [
        show_lobby,
        show_seat_with_everything_open,
        show_share,
        show_denied,
        show_door,
        show_bot,
    ],
)
def test_axe_finds_nothing_serious(
    visit: Visit, empty_server: Served, show: Callable[[Visit, Served], None], scheme: Any
) -> None:
    visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    show(visit, empty_server)
    assert findings(visit) == []
    visit.page.set_viewport_size({"width": 390, "height": 844})
    assert findings(visit) == []
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390  # nothing is cut off on a phone
    assert visit.page.evaluate(WEIGHT) <= MOST_BYTES
    assert visit.errors == []


def test_axe_finds_nothing_serious_when_the_server_is_gone(visit: Visit) -> None:
    with serving() as server:
        open_a_room(visit, server)
        server.kill()
        visit.wait(f"{STATE} === 'lost'")
        assert findings(visit) == []


def test_the_lobby_is_used_by_keys_alone(visit: Visit, empty_server: Served) -> None:
    show_lobby(visit, empty_server)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Tab")
    for _ in range(20):
        label = visit.page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
        if label.startswith("Open"):
            break
        visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    visit.wait(f"{FRAMES} > 0")
