"""A picture is dropped, its people are found, corrected and named, and a room opens with them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.clients.web.conftest import FRAMES, Served, Visit, serving
from tests.engines import toy_bundle

if TYPE_CHECKING:
    from playwright import sync_api

SIDE = 512
pytestmark = pytest.mark.browser
DROP = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], "us.jpg", { type: "image/jpeg" }));
  const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector("#drop").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def toy_server(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Served]:
    """Serve toy networks: their pictures are noise, and all before them is real."""
    folder = tmp_path_factory.mktemp("bundle") / "toy"
    toy_bundle.build(folder)
    with serving(source=("--bundle", str(folder))) as served:
        yield served


@pytest.fixture(scope="module")
def two_people() -> str:
    """Give a portrait of Eileen Collins, public domain (NASA), twice side by side."""
    portrait = np.asarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]  # skimage's
    # So near that a face of the toy's few pixels is large enough.
    near = np.asarray(Image.fromarray(portrait[60:200, 155:295]).resize((SIDE, SIDE)))
    file = io.BytesIO()
    Image.fromarray(np.concatenate([near, near], axis=1)).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


def drag(visit: Visit, what: sync_api.Locator, dx: float, dy: float) -> None:
    place = what.bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    mouse = visit.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + dx, y + dy, steps=3)
    mouse.up()


def place_of(visit: Visit, index: int) -> dict[str, float]:
    box = visit.page.locator(".box").nth(index).bounding_box()
    assert box is not None
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


def test_found_faces_are_corrected_and_a_room_opens_with_them(
    visit: Visit, toy_server: Served, two_people: str
) -> None:
    page = visit.page
    page.goto(f"{toy_server.url}/?lobby")
    page.get_by_label("Who agreed").wait_for()
    page.evaluate(DROP, two_people)
    assert "who agreed" in page.get_by_role("alert").inner_text()
    page.get_by_label("Who agreed").fill("Eileen, today")
    page.evaluate(DROP, two_people)
    page.get_by_text("2 faces were found").wait_for()
    visit.wait("document.querySelector('#editor-picture').naturalWidth === 1024")
    page.get_by_label("Name of person 1").fill("Anna")
    assert page.locator(".tag").first.inner_text() == "Anna"

    before = place_of(visit, 0)
    drag(visit, page.locator(".box").first, 12, 6)
    moved = place_of(visit, 0)
    assert (moved["x"] - before["x"], moved["y"] - before["y"]) == pytest.approx((12, 6), abs=1)
    assert moved["width"] == pytest.approx(before["width"], abs=1)
    page.locator(".box").first.focus()
    page.keyboard.press("Shift+ArrowRight")
    assert place_of(visit, 0)["width"] > moved["width"]

    page.locator(".box").nth(1).press("Delete")
    page.get_by_role("button", name="Open the room").click()
    page.locator("#editor-problem:not(.calm)").wait_for()  # the toy has a size for two alone
    page.get_by_role("button", name="Add a face").click()
    added, scale = place_of(visit, 1), moved["width"] / (0.65 * SIDE)
    drag(visit, page.locator(".box").nth(1), 160 * scale, -140 * scale)
    drag(visit, page.locator(".box").nth(1).locator(".se"), 180 * scale, 240 * scale)
    assert place_of(visit, 1)["width"] == pytest.approx(added["width"] + 180 * scale, abs=2)
    page.get_by_label("Name of person 2").fill("Ben")
    page.get_by_role("button", name="Open the room").click()
    page.get_by_role("button", name="Speak as Ben").wait_for()
    assert page.get_by_role("button", name="Speak as Anna").is_visible()
    visit.wait(f"{FRAMES} > 5")
    assert visit.errors == []


def test_what_is_no_picture_is_refused_with_words(visit: Visit, toy_server: Served) -> None:
    page = visit.page
    page.goto(f"{toy_server.url}/?lobby")
    page.get_by_label("Who agreed").fill("nobody")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Choose a picture").click()
    choosing.value.set_files({"name": "a.gif", "mimeType": "image/gif", "buffer": b"GIF89a"})
    assert "JPEG, PNG and WebP" in page.get_by_role("alert").inner_text()


def test_a_picture_of_earlier_can_be_forgotten(
    visit: Visit, toy_server: Served, two_people: str, tmp_path: Path
) -> None:
    picture = tmp_path / "them.jpg"
    picture.write_bytes(base64.b64decode(two_people))
    page = visit.page
    page.goto(f"{toy_server.url}/?lobby")
    page.get_by_label("Who agreed").fill("Eileen")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Choose a picture").click()
    choosing.value.set_files(picture)
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Forget: them").click()
    visit.wait("!document.querySelector('#scenes').textContent.includes('them')")
    assert visit.errors == []
