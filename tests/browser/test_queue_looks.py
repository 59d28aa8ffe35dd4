"""The ten pages that matter, with a week's requests in them: pictures at two widths in both schemes, and axe-core."""

import os
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, ViewportSize

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import Hitl
from tests.browser.busy import busy
from tests.browser.conftest import enter, faults_of
from tests.browser.pictures import SCREENSHOTS
from tests.browser.served import Served

pytestmark = pytest.mark.browser

SIZES = {"390": ViewportSize(width=390, height=844), "1440": ViewportSize(width=1440, height=900)}
FOLDER = SCREENSHOTS / os.environ.get("FLOW_HITL_PICTURES", "queue")
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# A page without attachments is at most this large.
MOST_BYTES = 60 * 1024


def test_no_line_crosses_the_menus_of_who_has_two_deployments(open_window: Callable[..., Page], site: Served) -> None:
    current().manage_deployments.create(name="Payments", creator_email="creator@example.com", organization_id=1)
    page = open_window()
    enter(page, site)
    for menu in (page.locator("details.deployments"), page.locator("details.account")):
        assert menu.evaluate("(menu) => getComputedStyle(menu).borderTopWidth") == "0px"


def test_the_pages_that_matter(open_window: Callable[..., Page], site: Served, hitl: Hitl) -> None:
    asked = busy(hitl)
    review = f"/d/1/requests/{asked[-1].id}"
    addresses = {
        "list": "/d/1/requests",
        "list-next": "/d/1/requests",
        "history": "/d/1/requests?tab=history",
        "search": "/d/1/requests?q=sunrise",
        "review": review,
        "answered": f"/d/1/requests/{asked[0].id}",
        "analytics": "/d/1/analytics",
        "audit": "/d/1/audit",
        "settings-email": "/d/1/settings/email",
        "settings-answers": "/d/1/settings/answers",
        "settings-groups": "/d/1/settings/groups",
        "rules": "/d/1/settings/rules",
        "webhooks": "/d/1/settings/webhooks",
    }
    page = open_window()
    enter(page, site)
    FOLDER.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    page.set_viewport_size(SIZES["1440"])
    row = page.locator(".requests tbody tr").nth(19).bounding_box()
    assert row is not None
    assert row["y"] + row["height"] <= SIZES["1440"]["height"], "twenty rows fit on the screen"
    for name, address in addresses.items():
        answer = page.goto(address)
        assert answer is not None
        size = len(answer.body())
        if name == "list-next":
            page.get_by_role("link", name="Next").click()
        if size > MOST_BYTES:
            faults.append(f"{name}: {size:,} bytes")
        for width, size_of_window in SIZES.items():
            page.set_viewport_size(size_of_window)
            for scheme in _SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled")
            faults += faults_of(page, f"{name}-{width}")
    assert faults == []
