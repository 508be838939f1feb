"""The latency page in real Chromium: a measurement by hand, and what it says when it cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clients.web.pages import BENCH, MEETING
from tests.clients.web.conftest import Served, Visit, serving
from tests.clients.web.test_accessibility import AXE, MOST_BYTES, WEIGHT, findings

if TYPE_CHECKING:
    from playwright import sync_api

MOST_SHARE = 0.35  # unexplained, where tests run beside it; docs/latency.md has better


def test_the_page_and_what_it_shares_with_the_meeting_page_is_light() -> None:
    own = {path.name: path.read_text() for path in BENCH.iterdir()}
    named = {each for text in own.values() for each in re.findall(r"meeting/([\w.-]+)", text)}
    needed = sum(map(len, own.values())) + sum((MEETING / n).stat().st_size for n in named)
    assert needed <= MOST_BYTES


def test_every_file_that_the_page_names_is_there() -> None:
    for path in BENCH.iterdir():
        text = path.read_text()
        named = re.findall(r'(?:href|src)="((?:meeting|bench)/[\w.-]+)', text)
        named += [
            f"bench/{each}" for each in re.findall(r'(?:from|URL\()\s*"\.?/?([\w-]+\.\w+)"', text)
        ]
        named += re.findall(r'from "\.\./([\w./-]+)"', text)
        for each in named:
            assert (BENCH.parent / each).is_file(), f"{path.name} names {each}"


def test_the_page_asks_no_other_host() -> None:
    for path in BENCH.iterdir():
        assert set(re.findall(r"https?://([\w.-]+)", path.read_text())) <= {"www.w3.org"}, path.name


@pytest.fixture(scope="module")
def measured_server(browser: sync_api.Browser) -> Iterator[Served]:
    with serving("--set", "limits.rooms=1") as served:
        yield served


@pytest.mark.browser
class TestInChromium:
    def test_a_measurement_by_hand_ends_in_a_report(
        self, visit: Visit, measured_server: Served, tmp_path: Path
    ) -> None:
        page = visit.page
        page.goto(f"{measured_server.url}/bench")
        page.get_by_label("Bursts").select_option("5")
        page.get_by_label("Person").select_option(index=1)
        page.get_by_role("button", name="Measure").click()
        visit.wait("!document.querySelector('#result').hidden")
        page.get_by_text("Microphone to lips").wait_for()
        with page.expect_download() as saving:
            page.get_by_role("button", name="Save as JSON").click()
        result = json.loads(Path(saving.value.path()).read_text())
        self._check(result)
        assert result["config"]["mouth"][0] == 0.5  # the right one's half of the picture
        with page.expect_download() as saving:
            page.get_by_role("button", name="Save the report").click()
        report = Path(saving.value.path()).read_text()
        assert "<svg" in report
        assert set(re.findall(r"https?://([\w.-]+)", report)) <= {"www.w3.org"}
        assert "<script" not in report
        alone = page.context.new_page()
        alone.goto(self._kept(tmp_path, report))
        assert alone.locator("circle.lips").count() >= result["seen"]
        assert visit.errors == []
        rooms = page.evaluate("async () => (await (await fetch('/rooms')).json()).rooms.length")
        assert rooms == 0  # its own room is closed again

    def test_a_full_server_is_told_in_one_sentence(
        self, visit: Visit, measured_server: Served
    ) -> None:
        page = visit.page
        page.goto(f"{measured_server.url}/bench")
        room = page.evaluate(
            """async () => (await (await fetch("/rooms", {
              method: "POST", body: JSON.stringify({ scene: "null" }),
              headers: { "Content-Type": "application/json" },
            })).json()).id"""
        )
        page.get_by_role("button", name="Measure").click()
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert "1 rooms is the limit" in alert.inner_text()
        page.evaluate("(id) => fetch(`/rooms/${id}`, { method: 'DELETE' })", room)

    def test_a_refused_microphone_says_what_to_do(
        self, visit: Visit, measured_server: Served
    ) -> None:
        page = visit.page
        page.goto(f"{measured_server.url}/bench")
        page.get_by_label("Use my microphone").check()
        page.get_by_role("button", name="Measure").click()
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert "microphone is refused" in alert.inner_text()
        assert page.get_by_role("button", name="Measure").is_enabled()

    @pytest.mark.skipif(not AXE.is_file(), reason=f"no {AXE}; see docs/clients.md")
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_serious(
        self, visit: Visit, measured_server: Served, scheme: Any
    ) -> None:
        visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        visit.page.goto(f"{measured_server.url}/bench")
        visit.page.locator("#seat option").first.wait_for(state="attached")
        assert findings(visit) == []

    def test_it_fits_a_phone_and_weighs_little(self, visit: Visit, measured_server: Served) -> None:
        visit.page.set_viewport_size({"width": 390, "height": 844})
        visit.page.goto(f"{measured_server.url}/bench")
        visit.page.locator("#seat option").first.wait_for(state="attached")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.page.evaluate(WEIGHT) <= MOST_BYTES
        assert visit.errors == []

    @staticmethod
    def _check(result: dict[str, Any]) -> None:
        assert result["sent"] == 5
        assert result["seen"] >= 3
        assert result["heard"] >= 3
        whole = result["mic_to_lips_ms"]["p50"]
        # A chunk, its look-ahead and the packet of sound cannot be avoided.
        assert 160 + 80 + 20 < whole < 2000
        parts = result["parts_ms"]
        assert sum(parts.values()) == pytest.approx(whole, abs=1)
        assert abs(parts["unexplained"]) < MOST_SHARE * whole
        assert parts["wait_for_chunk"] == 160  # four pictures of 40 ms

    @staticmethod
    def _kept(folder: Path, report: str) -> str:
        path = folder / "report.html"
        path.write_text(report)
        return path.as_uri()
