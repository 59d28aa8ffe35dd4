"""A real browser in front of the real handlers: Chromium by Playwright, the stack by the `hitl` fixture's own means."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from infra.local.chromium import MISSING
from infra.local.chromium import find as find_chromium
from infra.local.hitl_fixture import Hitl, hitl_on_moto
from infra.local.patience import HANG_SECONDS
from tests.browser.pictures import SCREENSHOTS
from tests.browser.served import Served, served
from tests.support.slices import part

PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
# A phone in the dark and a desk in the light show both layouts and both schemes.
_VIEWS: dict[str, tuple[ViewportSize, Literal["dark", "light"]]] = {
    "phone-dark": (PHONE, "dark"),
    "desk-light": (DESK, "light"),
}
_AXE = Axe().axe_script
_JUDGE = """() => axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact))
  .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(" ")}`))"""
_OPTIONS = [
    "--no-sandbox",
    # Nobody looks on: to draw in a process of its own costs a tenth of the time.
    "--disable-gpu",
    "--disable-background-networking",
    # It would keep a page of others from framing ours before our own headers do, as we are on loopback here.
    "--disable-features=LocalNetworkAccessChecks",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser, started once; without one the tests fail, which says what to install."""
    path = find_chromium()
    if path is None:
        pytest.fail(MISSING, pytrace=False)
    expect.set_options(timeout=HANG_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_OPTIONS, timeout=HANG_SECONDS * 1000)
        yield browser
        browser.close()


@pytest.fixture
def site() -> Iterator[Served]:
    """A stack of its own, with one deployment whose creator is creator@example.com."""
    with hitl_on_moto() as hitl, served(hitl) as made:
        yield made


@pytest.fixture
def open_window(chromium: Browser, site: Served) -> Iterator[Callable[..., Page]]:
    """Open a window of a browser of its own; what the console complains about fails the test, but for a 4xx answer."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(**options: Any) -> Page:
        context = chromium.new_context(**{"viewport": DESK, "base_url": site.url, **options})
        context.set_default_timeout(HANG_SECONDS * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


@pytest.fixture
def hitl(site: Served) -> Hitl:
    """The stack behind the site; hold `site.lock` to use it while a page may be asking something."""
    return site.hitl


def enter(page: Page, site: Served, email: str = "creator@example.com") -> None:
    """Be signed in, and on the list of requests: where how one signs in is not the point."""
    page.context.request.post(f"{site.url}/sign-in", form={"email": email}, max_redirects=0)
    page.context.request.post(f"{site.url}/sign-in/code", form={"code": site.code()}, max_redirects=0)
    page.goto("/d/1/requests")


def sign_in(page: Page, site: Served, email: str = "creator@example.com") -> None:
    """Sign in by the code out of the mail."""
    page.goto("/sign-in")
    page.get_by_label("Your email address").fill(email)
    page.get_by_role("button", name="Email me a link").click()
    page.wait_for_url("**/sign-in/code")
    page.get_by_label("Code").fill(site.code())
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/requests")


def look(page: Page, name: str) -> list[str]:
    """Keep a picture of the page in each view; return what is cut off there, and axe-core's serious faults.

    In `make test` axe-core judges each page in one of the views.
    """
    judged = part({f"{name}-{view}": {name} for view in _VIEWS}, 1_000_000)
    faults: list[str] = []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for view, (size, scheme) in _VIEWS.items():
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        # What moves is at its end, so that axe-core sees the colours that stay.
        page.screenshot(path=SCREENSHOTS / f"{name}-{view}.png", full_page=True, animations="disabled")
        faults += faults_of(page, f"{name}, {view}", judged=f"{name}-{view}" in judged)
    return faults


def faults_of(page: Page, name: str, *, judged: bool = True) -> list[str]:
    """Return whether the page is wider than its window and, if it is judged, axe-core's serious faults."""
    faults: list[str] = []
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        faults.append(f"{name}: wider than the window")
    if judged:
        page.evaluate(_AXE)
        faults += [f"{name}: {fault}" for fault in page.evaluate(_JUDGE)]
    return faults
