"""The manager's journeys in a real browser, with script and without: configure, try, hand out, take back."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from infra.local.hitl_fixture import Hitl
from tests.browser.conftest import PHONE, enter, look
from tests.browser.served import Served
from tests.support.asserts import EMIT, callback
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import hook

pytestmark = pytest.mark.browser
Window = Callable[..., Page]
SETTINGS = "/d/1/settings"
SCRIPT = pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["", "without script"])


@pytest.fixture
def app() -> Iterator[Receiver]:
    """Another application, which webhooks and answers are sent to."""
    with receiving() as receiver:
        yield receiver


def save(page: Page, name: str = "Save configuration") -> None:
    page.get_by_role("button", name=name).click()


@SCRIPT
def test_from_the_settings_to_a_request_that_goes_by_them(
    open_window: Window, site: Served, hitl: Hitl, options: dict[str, bool]
) -> None:
    page = open_window(**options)
    enter(page, site)
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Routing rules").click()
    for name, pattern, email in (("All to Ann", "*", "ann@example.com"), ("Finance", "approve_*", "bob@example.com")):
        page.get_by_role("link", name="Add a rule").click()
        page.get_by_label("Name of the rule").fill(name)
        page.get_by_label("Method name").fill(pattern)
        page.get_by_label("This address or group").fill(email)
        save(page, "Save the rule")
        expect(page.get_by_role("status")).to_have_text("Added.")
    page.get_by_label("Method name").fill("approve_payment")
    save(page, "Try the rules")
    expect(page.get_by_text("Asks ann@example.com", exact=True)).to_be_visible()
    save(page, "Move Finance up")
    expect(page.get_by_role("heading", level=2)).to_have_text(["Finance", "All to Ann", "Dry run"])
    page.get_by_role("link", name="Auto-response").click()
    expect(page.get_by_text("Use auto-response carefully.")).to_be_visible()
    page.get_by_role("switch", name="Enabled").check()
    page.get_by_label("Default outcome").fill("rejected")
    save(page)
    expect(page.get_by_label("Timeout (minutes)")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Default outcome")).to_have_value("rejected")
    page.get_by_label("Timeout (minutes)").fill("30")
    save(page)
    expect(page.get_by_role("status")).to_have_text("Saved.")
    with site.lock:
        request = hitl.ask(emit=EMIT, method_name="approve_payment").now()
    assert (request["assigned_to_email"], request["auto_response"]["timeout_minutes"]) == ("bob@example.com", 30)


@SCRIPT
def test_a_webhook_from_its_secret_to_its_end(
    open_window: Window, site: Served, app: Receiver, options: dict[str, bool]
) -> None:
    app.status, app.answer = 503, b"<i>busy</i>"
    page = open_window(**options)
    enter(page, site)
    page.goto(f"{SETTINGS}/webhooks")
    page.get_by_label("Name").fill("Jira")
    page.get_by_label("URL").fill(app.url)
    save(page)
    expect(page.get_by_text(re.compile("^whsec_"))).to_be_visible()
    page.get_by_role("link", name="I have copied it").click()
    save(page, "Send a test ping")
    page.get_by_text(re.compile("HTTP 503, .* ms")).click()
    expect(page.get_by_text("<i>busy</i>")).to_be_visible()
    app.status = 200
    save(page, "Resend")
    expect(page.get_by_text("delivered", exact=True)).to_be_visible()
    save(page, "Delete this webhook")
    page.get_by_role("link", name="Go back").click()
    save(page, "Delete this webhook")
    save(page, "Delete the webhook")
    expect(page.get_by_text("No webhook yet")).to_be_visible()


@SCRIPT
def test_a_request_is_reassigned_and_cancelled_and_an_answer_sent_again(
    open_window: Window, site: Served, hitl: Hitl, app: Receiver, options: dict[str, bool]
) -> None:
    app.status = 500
    page = open_window(**options)
    enter(page, site)
    with site.lock:
        request = hitl.ask("Publish?", emit=EMIT)
        answered = hitl.ask("Pay?", emit=EMIT, resume_url=app.url)
        callback(hitl, answered)
        hitl.advance(days=2)
    page.goto(f"/d/1/requests/{request.id}")
    page.get_by_text("Reassign").first.click()
    page.get_by_label("New assignee").fill("ann@example.com")
    save(page, "Reassign")
    expect(page.get_by_role("heading", name="Waiting for ann@example.com")).to_be_visible()
    save(page, "Cancel the request")
    save(page, "Cancel the request")
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    app.status = 200
    page.goto(f"/d/1/requests/{answered.id}")
    save(page, "Send the answer to the flow again")
    expect(page.get_by_text("The flow has the answer").first).to_be_visible()


def test_two_managers_in_two_windows(open_window: Window, site: Served) -> None:
    one, other = open_window(), open_window(viewport=PHONE)
    for page in (one, other):
        enter(page, site)
        page.goto(f"{SETTINGS}/sla")
    other.get_by_label("SLA target (minutes)").fill("240")
    save(other)
    one.get_by_label("SLA target (minutes)").fill("90")
    save(one)
    expect(one.get_by_role("alert")).to_contain_text("SLA target (minutes): none → 240")
    expect(one.get_by_label("SLA target (minutes)")).to_have_value("90")
    save(one)
    expect(one.get_by_role("status")).to_have_text("Saved.")
    other.reload()
    expect(other.get_by_label("SLA target (minutes)")).to_have_value("90")


RULES: list[dict[str, Any]] = [
    {
        "name": "Approvals to Finance",
        "match": {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}}},
        "assign_to_email": "group:finance",
        "assign_from_input": "manager_email",
        "sla_target_minutes": 60,
    },
    {"name": "Route to Sales Rep", "match": {"method_name": "review_*"}, "assign_from_input": "sales_rep_email"},
]
GROUPS = [{"name": "finance", "address": "finance@example.com", "members": ["ann@example.com", "bob@example.com"]}]
PLACES = (
    "email",
    "rules",
    "rules/1",
    "rules/new",
    "sla",
    "auto-response",
    "webhooks",
    "members",
    "members?member=ann@example.com",
    "api-keys",
    "answers",
    "groups",
    "groups/1",
    "checks",
)


def test_the_settings_are_whole_and_accessible(open_window: Window, site: Served, hitl: Hitl, app: Receiver) -> None:
    page = open_window()
    enter(page, site)
    with site.lock:
        hitl.configure(settings={"groups": GROUPS, "reminders": [{"share_of_sla": 0.5}]}, rules=RULES)
        hitl.api("PUT", "/v1/deployments/1/members/ann@example.com", {"permissions": ["manage_human_feedback"]})
        made = hook(hitl, app.url)
        request = hitl.ask(emit=EMIT)
    places = {"settings-" + re.sub("[^a-z0-9]+", "-", one.partition("=")[0]): f"settings/{one}" for one in PLACES}
    places["settings-webhook"] = f"settings/webhooks/{made.id}"
    places["request-managed"] = f"requests/{request.id}"
    places["diagnosis"] = f"requests/{request.id}/diagnosis"
    assert len(places) == len(PLACES) + 3
    faults: list[str] = []
    for name, place in places.items():
        page.goto(f"/d/1/{place}")
        faults += look(page, name)
    assert faults == []
