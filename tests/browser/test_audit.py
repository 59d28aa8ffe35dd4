"""The audit page in a browser: it looks right, everybody can read it, and it needs no script."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from infra.local.hitl_fixture import Hitl
from tests.browser.conftest import enter, look
from tests.browser.served import Served
from tests.proof.test_audit_seal import chain_of, tampered, two_days

pytestmark = pytest.mark.browser


@pytest.fixture
def changed(hitl: Hitl) -> Hitl:
    """A deployment with a log of two days, in which somebody has edited one answer."""
    hitl.configure(settings={"sla_target_minutes": 60})
    request, _ = two_days(hitl)
    tampered("edit")(hitl, chain_of(hitl, request), 2)
    hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/audit/export", {"format": "csv"})
    return hitl


def test_the_page_is_whole_and_accessible(open_window: Callable[..., Page], site: Served, changed: Hitl) -> None:
    page = open_window()
    enter(page, site)
    addresses = (("audit", ""), ("audit-verified", "/verify"), ("audit-empty", "?from=2024-01-01&to=2024-01-31"))
    for name, rest in addresses:
        page.goto(f"/d/{changed.deployment_id}/audit{rest}")
        assert look(page, name) == []


def test_a_manager_verifies_and_exports_without_any_script(
    open_window: Callable[..., Page], site: Served, changed: Hitl
) -> None:
    page = open_window(java_script_enabled=False)
    enter(page, site)
    page.get_by_role("link", name="Audit").click()
    page.get_by_role("button", name="Verify these days").click()
    expect(page.get_by_text("These records were changed after they were written.")).to_be_visible()
    expect(page.get_by_text("Edited", exact=True).first).to_be_visible()
    page.get_by_label("Format").select_option("jsonl")
    page.get_by_role("button", name="Export these days").click()
    expect(page.get_by_text("The export is being written.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="events-00001.jsonl")).to_be_visible()
