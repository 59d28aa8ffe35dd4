"""What a page says of a decision is so: who gave it is told apart from who is said to have, and no word is lost."""

import re
from typing import Any

import pytest

from infra.local.hitl_fixture import Hitl
from tests.pages.test_request_pages import ANNA, BEN, LIST, answer, reviewer, url, words
from tests.proof.test_audit_seal import chain_of, put
from tests.support.asserts import EMIT, callback
from tests.support.forms import form_of, submit

AUDIT = "/d/1/audit?from=2026-01-14&to=2026-01-14"
CLAIMED = "ceo@example.com"

# --- who answered


def test_a_responder_whom_a_program_only_names_is_not_shown_as_proven(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    callback(hitl, request, "approved", responder=CLAIMED)
    for page in (reviewer(hitl).get(url(request)), hitl.signed_in().get(AUDIT)):
        said = words(page)
        assert f"{CLAIMED} answered" not in said
        assert f'Answered "Approved" through the API, by {CLAIMED} as its caller says, which is not proven' in said


@pytest.mark.parametrize("claimed", [CLAIMED, "operator", "flow-hitl", "member/creator@example.com", "api_key/1"])
def test_a_program_writes_nobody_elses_name_into_the_audit_log(hitl: Hitl, claimed: str) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    callback(hitl, request, "approved", responder=claimed)
    (event,) = [event for event in request.timeline if event["kind"] == "response_submitted"]
    assert event["actor"] == "api"
    assert (event["data"]["responder"], event["data"]["responder_verified"]) == (claimed, False)
    assert "another application" in words(hitl.signed_in().get(AUDIT))
    diagnosis = words(hitl.signed_in().get(f"{url(request)}/diagnosis"))
    assert f"by {claimed} as its caller says, which is not proven, by api" in diagnosis


def test_a_person_whom_a_program_only_names_hears_that_the_request_was_answered(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANNA, BEN]}]})
    request = hitl.ask(emit=EMIT, assigned_to_email="group:finance")
    asked = len(hitl.inbox)
    callback(hitl, request, "approved", responder=ANNA)
    assert sorted(mail.to for mail in hitl.inbox[asked:]) == [ANNA, BEN]


def test_who_is_proven_and_which_program_it_was_are_told_as_before(hitl: Hitl) -> None:
    by_program, by_person = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    callback(hitl, by_program, "approved", source="jira")
    browser = reviewer(hitl)
    answer(browser, by_person)
    assert f'{ANNA} answered "Approved" on the page' in words(browser.get(url(by_person)))
    assert 'Answered "Approved" through the API, from "jira"' in words(hitl.signed_in().get(url(by_program)))


def test_who_presses_twice_is_not_told_that_somebody_else_was_faster(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    assert answer(browser, request, "approved", "my reasons").status == 303
    again = browser.post(url(request), {"outcome": "approved", "comment": "my reasons"})
    assert not re.search("(Somebody|Someone) else", words(again))
    assert "Your answer counts" in words(again)
    assert "Your text, to copy" not in words(again)
    other = browser.post(url(request), {"outcome": "rejected", "comment": "on second thoughts"})
    assert "You have already answered this request; your first answer counts." in words(other)
    assert "on second thoughts" in other.text
    assert request.outcome == "approved"


# --- what was written


def test_what_somebody_wrote_is_not_lost_when_the_request_went_to_another(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    link, browser = hitl.review_url(), reviewer(hitl)
    browser.get(url(request))
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BEN})
    form = {"outcome": "approved", "comment": "my long reasons"}
    for page in (browser.post(url(request), form), hitl.page("POST", link, form)):
        assert page.status in (403, 404)
        assert "my long reasons" in page.text
    assert request.status == "pending"


def test_what_somebody_wrote_is_not_lost_when_their_link_has_expired(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    link = hitl.review_url()
    hitl.advance(days=8)
    page = hitl.page("POST", link, {"outcome": "approved", "comment": "my long reasons"})
    assert page.status == 410
    assert "my long reasons" in page.text
    assert request.status == "pending"


def test_a_form_of_another_site_is_not_shown_again(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    link, browser = hitl.review_url(), reviewer(hitl)
    form, elsewhere = {"outcome": "approved", "comment": "call 0900 for help"}, {"origin": "https://evil.test"}
    headers = {**elsewhere, "sec-fetch-site": "cross-site"}
    for page in (browser.post(url(request), form, **headers), hitl.page("POST", link, form, **headers)):
        assert page.status == 403
        assert "0900" not in page.text


def test_who_writes_too_much_is_told_so_and_not_that_nothing_is_here(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    link, browser = hitl.review_url(), reviewer(hitl)
    browser.get(url(request))
    form = {"outcome": "approved", "comment": "字" * 120_000}
    for page in (browser.post(url(request), form), hitl.page("POST", link, form)):
        assert page.status == 413
        assert "That is too long" in words(page)
        assert "Nothing was sent" in words(page)
        assert "does not work" not in words(page)
    assert request.status == "pending"


# --- one decision, and the one that is meant


def test_a_form_that_says_two_things_decides_neither(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    link, browser = hitl.review_url(), reviewer(hitl)
    browser.get(url(request))
    assert browser.post(url(request), {"outcome": ["approved", "rejected"]}).status == 422
    path = link.removeprefix("https://hitl.test")
    assert hitl.browser().post(path, {"outcome": ["approved", "rejected"]}).status == 422
    assert request.status == "pending"


@pytest.mark.parametrize("override", ["\u202d", "\u202e"])
def test_no_amount_can_be_made_to_read_backwards(hitl: Hitl, override: str) -> None:
    amount = f"Pay {override}0005 EUR"
    request = hitl.ask(
        amount, emit=EMIT, assigned_to_email=ANNA, output=f"# {amount}\n\n`{amount}`", state={"amount": amount}
    )
    mail, browser = hitl.inbox[-1], reviewer(hitl)
    shown = [browser.get(url(request)), browser.get(LIST), hitl.page("GET", hitl.review_url(mail))]
    for text in (*(page.text for page in shown), mail.text, mail.html, mail.subject):
        assert override not in text
        assert "0005 EUR" in text or text == mail.subject
    assert "Pay \ufffd0005 EUR" in mail.text


# --- a log that someone else wrote in


@pytest.mark.parametrize("changes", [{"kind": "payment_made"}, {"kind": "audit_exported", "data": "{}"}])
def test_an_event_of_no_kind_that_we_know_stops_no_verifying(hitl: Hitl, changes: dict[str, Any]) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    last = chain_of(hitl, request)[-1]
    seq = int(last["seq"]) + 1
    place = {"seq": seq, "prev_hash": last["hash"], "day_key": f"{last['day_key'][:-6]}{seq:06d}"}
    put(hitl, last, **changes, **place)
    manager = hitl.signed_in()
    page, verified = manager.get(AUDIT), manager.get(AUDIT.replace("?", "/verify?"))
    assert (page.status, verified.status) == (200, 200)
    assert f"request#{request.id} event {seq}" in verified.text
    assert "These records were changed after they were written." in words(verified)


# --- forms


@pytest.mark.parametrize("number", ["1e9999999", "-1e9999999", "1e-9999999", "sNaN"])
def test_a_reminder_at_no_number_is_said_at_its_field(hitl: Hitl, number: str) -> None:
    browser = hitl.signed_in()
    page = submit(browser, "/d/1/settings/email", "reminder_0_number", {"reminder_0_number": number})
    assert page.status == 422
    assert "Enter whole minutes, or a percentage from 1 to 100." in words(page)
    assert form_of(page, "reminder_0_number").fields["reminder_0_number"] == number


def test_who_was_too_late_for_the_clock_is_not_told_of_somebody_else(hitl: Hitl) -> None:
    request = hitl.ask(
        emit=EMIT, assigned_to_email=ANNA, auto_response={"timeout_minutes": 5, "default_outcome": "rejected"}
    )
    browser = reviewer(hitl)
    browser.get(url(request))
    hitl.advance(minutes=5)
    page = browser.post(url(request), {"outcome": "approved", "comment": "my late reasons"})
    assert page.status == 409
    assert not re.search("(Somebody|Someone) else", words(page))
    assert "The deadline had passed, so your answer does not count." in words(page)
    assert "my late reasons" in page.text


# --- what programs get


def test_no_browser_reads_an_answer_to_a_program_as_a_page_and_nobody_keeps_it(hitl: Hitl) -> None:
    request = hitl.ask("<script>alert(1)</script>", emit=EMIT)
    deployment = f"/v1/deployments/{hitl.deployment_id}"
    answers = [
        hitl.api("GET", f"/v1/requests/{request.id}"),
        hitl.api("GET", f"/v1/requests/{request.id}", key=None),
        hitl.api("POST", "/v1/requests", {"flow_id": 5}),
        hitl.api("POST", f"{deployment}/api-keys", {"name": "k", "permissions": ["create_requests"]}),
        hitl.api("GET", "/v1/contents/x", key=None),
        callback(hitl, request),
        hitl.browser().get("/nowhere"),
    ]
    for one in answers:
        assert one.headers["X-Content-Type-Options"] == "nosniff", one.text
        assert one.headers["Cache-Control"] == "no-store", one.text
