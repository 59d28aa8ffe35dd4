"""The analytics page in a browser: it looks right, everybody can read it, and it needs no script."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from infra.local.hitl_fixture import Hitl
from tests.browser.conftest import enter, look
from tests.browser.served import Served
from tests.support.asserts import EMIT
from tests.support.figures import figures_of, requests_of, store

pytestmark = pytest.mark.browser


@pytest.fixture
def month(hitl: Hitl) -> Hitl:
    """A deployment in which much was asked and answered in a month, and two requests wait for too long."""
    hitl.configure(settings={"sla_target_minutes": 60})
    for _ in range(2):
        hitl.ask(emit=EMIT)
    hitl.advance(minutes=61)
    # Last, because whatever measures takes figures that no event made for those of an earlier release.
    store(
        hitl, figures_of(requests_of(datetime(2025, 12, 20, tzinfo=UTC), days=25, count=400, clock_every=11), times=3)
    )
    return hitl


def test_the_page_is_whole_and_accessible(open_window: Callable[..., Page], site: Served, month: Hitl) -> None:
    page = open_window()
    enter(page, site)
    for name, query in (("analytics", ""), ("analytics-empty", "?from=2024-01-01&to=2024-01-31")):
        page.goto(f"/d/{month.deployment_id}/analytics{query}")
        assert look(page, name) == []


def test_a_manager_looks_around_without_any_script(open_window: Callable[..., Page], site: Served, month: Hitl) -> None:
    page = open_window(java_script_enabled=False)
    enter(page, site)
    page.get_by_role("link", name="Analytics").click()
    expect(page.get_by_text("2 requests waiting > 60 min.")).to_be_visible()
    expect(page.get_by_role("img", name="Requests opened and answered by day")).to_be_visible()
    page.get_by_role("link", name="Flow", exact=True).click()
    expect(
        page.get_by_role("cell", name="PaymentFlow").or_(page.get_by_role("rowheader", name="PaymentFlow"))
    ).to_be_visible()
    page.get_by_role("link", name="12 months").click()
    expect(page.get_by_role("heading", name="Requests by week")).to_be_visible()
    page.get_by_label("From").fill("2025-12-24")
    page.get_by_label("To", exact=True).fill("2025-12-26")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("rowheader", name="25 Dec 2025")).to_be_visible()
    assert "group_by=flow" in page.url
