"""A day at the queue in a real browser: select, answer, go on, by mouse and by keys, with script and without."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from infra.local.hitl_fixture import Hitl
from tests.browser.conftest import enter
from tests.browser.served import Served
from tests.support.asserts import EMIT

pytestmark = pytest.mark.browser
Window = Callable[..., Page]


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["", "without script"])
def test_several_at_once(open_window: Window, site: Served, hitl: Hitl, options: dict[str, bool]) -> None:
    asked = [hitl.ask(f"Number {number}", emit=EMIT, method_name=f"review_{number}") for number in range(3)]
    page = open_window(**options)
    enter(page, site)
    for number in (1, 3):
        page.get_by_role("checkbox", name=f"number {number}").check()
    page.get_by_role("button", name="Answer the selected at once").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Answer 2 requests")
    page.get_by_role("button", name="Approved (all 2)").click()
    expect(page.get_by_role("status")).to_have_text("All were recorded.")
    assert [one.status for one in asked] == ["responded", "pending", "responded"]


def test_by_keys_alone_from_one_to_the_next(open_window: Window, site: Served, hitl: Hitl) -> None:
    asked = [hitl.ask(f"Number {number}", emit=EMIT, method_name=f"review_{number}") for number in range(3)]
    page = open_window()
    enter(page, site)
    press = page.keyboard.press
    press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next and previous request")
    press("Escape")
    for key in "jjk":
        press(key)
    expect(page.get_by_role("link", name="Review 0")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Review 0")
    press("2")
    assert asked[0].status == "pending"
    with page.expect_navigation():
        press("Enter")
    expect(page.get_by_role("status").first).to_contain_text(
        "Your answer was recorded. Next: Review 1: Number 1 (2 left)"
    )
    assert asked[0].outcome == EMIT[1]
    with page.expect_navigation():
        press("n")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Review 1")
    press("c")
    page.keyboard.type("1 is what I mean?")
    expect(page.get_by_label("Comment")).to_have_value("1 is what I mean?")
    assert asked[1].status == "pending"


def test_what_is_new_appears_by_itself_and_what_is_selected_stays(
    open_window: Window, site: Served, hitl: Hitl
) -> None:
    hitl.ask("Number 0", emit=EMIT)
    page = open_window()
    page.clock.install()
    enter(page, site)
    page.get_by_role("checkbox", name="number 1").check()
    with site.lock:
        hitl.ask("Number 1", emit=EMIT)
    page.clock.fast_forward(30_000)
    expect(page.get_by_text("Number 1", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Mine 2")).to_be_visible()
    expect(page.get_by_role("checkbox", name="number 1")).to_be_checked()
    expect(page.get_by_text("1 selected")).to_be_visible()


def test_times_are_in_the_readers_own_zone(open_window: Window, site: Served, hitl: Hitl) -> None:
    request = hitl.ask("Number 0", emit=EMIT)
    page = open_window(timezone_id="America/New_York")
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    opened = page.locator("dd time").first
    expect(opened).to_contain_text("14 Jan 2026, 07:00")
    expect(opened).to_have_attribute("title", "14 Jan 2026, 12:00 UTC")
