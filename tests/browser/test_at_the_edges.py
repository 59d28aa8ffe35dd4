"""Where a page meets the rest of the browser: the keyboard, the Back button, frames of others, links that lead out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from infra.local.hitl_fixture import Hitl
from infra.local.patience import HANG_SECONDS
from tests.browser.conftest import PHONE, enter
from tests.browser.served import Served
from tests.support.asserts import EMIT

pytestmark = pytest.mark.browser
Window = Callable[..., Page]

PAGES = ("requests", "analytics", "audit", *(f"settings/{name}" for name in ("email", "rules", "members", "webhooks")))
# Where the focus is: its place among what can be focused, and whether one sees it there.
_FOCUS = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return [element.outerHTML.slice(0, 120), (outlined || style.boxShadow !== "none") && box.width > 0 && box.height > 0];
}"""
_CAN_BE_REACHED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter((element) => !element.disabled && element.type !== "hidden" && element.checkVisibility()
    && (element.type !== "radio" || element.checked)).length"""


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(
    open_window: Window, site: Served, hitl: Hitl
) -> None:
    hitl.ask("Fit to print?", emit=EMIT)
    page = open_window()
    enter(page, site)
    for name in PAGES:
        page.goto(f"/d/1/{name}")
        wanted, reached, seen = page.evaluate(_CAN_BE_REACHED), set[str](), set[str]()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        for _ in range(wanted * 2):
            html, is_seen = page.evaluate(_FOCUS)
            if html.startswith("<body"):
                break
            reached.add(html)
            # A date has several places to be at, of which the browser marks the last by itself.
            seen |= {html} if is_seen else set()
            page.keyboard.press("Tab")
        assert reached - seen == set(), name
        assert len(reached) >= wanted * 0.9, f"{name}; some look alike"


def test_after_signing_out_the_back_button_shows_nothing(open_window: Window, site: Served, hitl: Hitl) -> None:
    request = hitl.ask("Nobody else may read this", emit=EMIT)
    page = open_window(viewport=PHONE)
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    page.locator(".account > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in?notice=signed_out")
    page.go_back()
    expect(page.get_by_label("Your email address")).to_be_visible()
    assert "Nobody else may read this" not in page.content()


@pytest.mark.parametrize("path", ["/sign-in", "review"])
def test_no_page_of_others_can_put_ours_in_a_frame(chromium: Browser, site: Served, hitl: Hitl, path: str) -> None:
    hitl.ask("Fit to print?", emit=EMIT)
    address = site.mailed("/review/") if path == "review" else site.url + path
    with chromium.new_page() as page:
        page.set_default_timeout(HANG_SECONDS * 1000)
        page.route(
            "http://elsewhere.test/",
            lambda route: route.fulfill(body=f'<iframe src="{address}"></iframe>', content_type="text/html"),
        )
        with page.expect_console_message(lambda message: "frame-ancestors 'none'" in message.text):
            page.goto("http://elsewhere.test/")


def test_a_link_that_leads_out_does_not_tell_the_secret_address_it_is_on(
    open_window: Window, site: Served, hitl: Hitl
) -> None:
    hitl.ask("Fit to print?", emit=EMIT, output="[the source](http://elsewhere.test/source)")
    told: list[dict[str, str]] = []

    def serve(route: Route) -> None:
        told.append(route.request.all_headers())
        route.fulfill(body="x", content_type="text/html")

    page = open_window()
    page.route("http://elsewhere.test/**", serve)
    page.goto(site.mailed("/review/"))
    page.get_by_role("link", name="the source").click()
    page.wait_for_url("http://elsewhere.test/source")
    assert [headers.get("referer") for headers in told] == [None]
    assert page.evaluate("window.opener") is None
