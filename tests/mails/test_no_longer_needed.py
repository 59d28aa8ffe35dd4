"""Whoever was asked by mail is told, once and in the same thread, when their answer is no longer needed."""

from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import AskedRequest, Browser, Hitl, Mail
from tests.support.asserts import EMIT, callback
from tests.support.forms import form_of, send

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"
GROUPS = [{"name": "finance", "members": [ANN, BOB, CLEO]}]
CLOCK = {"timeout_minutes": 60, "default_outcome": "rejected"}
TOLD = "This request no longer needs your answer"


def ask(hitl: Hitl, to: str = ANN, **fields: Any) -> AskedRequest:
    hitl.configure(settings={"groups": GROUPS, "allow_delegation": True})
    return hitl.ask("Pay?", emit=EMIT, assigned_to_email=to, **fields)


def told(hitl: Hitl) -> dict[str, Mail]:
    """Return the mails that say so by the people who got them, one each."""
    found = [mail for mail in hitl.inbox if TOLD in mail.text]
    by_person = {mail.to: mail for mail in found}
    assert len(by_person) == len(found)
    return by_person


def reassign(hitl: Hitl, request: AskedRequest, to: str) -> None:
    assert hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": to}).status == 200


def cancel(hitl: Hitl, request: AskedRequest) -> None:
    assert hitl.api("DELETE", f"/v1/requests/{request.id}").status == 200


def manager(hitl: Hitl, address: str = "boss@example.com") -> Browser:
    member = Member(address, frozenset({Permission.MANAGE, Permission.RESPOND}))
    current().manage_deployments.set_member(hitl.deployment_id, member)
    return hitl.signed_in(address)


def test_who_had_it_is_told_that_it_was_reassigned_and_to_whom(hitl: Hitl) -> None:
    request = ask(hitl)
    asked = hitl.inbox[0]
    reassign(hitl, request, BOB)
    mail = told(hitl)[ANN]
    assert list(told(hitl)) == [ANN]
    assert mail.subject == f"Reassigned to {BOB}: Review (Content Review)"
    assert f'a program of the deployment "Content Review" reassigned it to {BOB}' in mail.text
    sent = next(event for event in request.timeline if event["kind"] == "notification_sent")["data"]
    assert (sent["to"], mail.message["In-Reply-To"]) == (ANN, f"<{sent['message_id']}@email.amazonses.com>")
    assert mail.reply_to is None
    assert hitl.review_url(asked) not in mail.text
    assert request.kinds.count("handled_mail_sent") == 1


def test_a_group_is_told_but_who_of_it_is_still_asked(hitl: Hitl) -> None:
    request = ask(hitl, "group:finance")
    reassign(hitl, request, BOB)
    assert sorted(told(hitl)) == [ANN, CLEO]


@pytest.mark.parametrize(("to", "people"), [(ANN, [ANN]), ("group:finance", [ANN, BOB, CLEO])])
def test_everybody_who_was_asked_is_told_of_the_clocks_answer(hitl: Hitl, to: str, people: list[str]) -> None:
    request = ask(hitl, to, auto_response=CLOCK)
    hitl.advance(minutes=60)
    assert request.outcome == "rejected"
    assert sorted(told(hitl)) == people
    assert "no one answered in time" in told(hitl)[ANN].text
    assert "Rejected" in told(hitl)[ANN].text


@pytest.mark.parametrize(("to", "people"), [(ANN, [ANN]), ("group:finance", [ANN, BOB, CLEO])])
def test_everybody_who_was_asked_is_told_that_it_was_cancelled(hitl: Hitl, to: str, people: list[str]) -> None:
    request = ask(hitl, to)
    cancel(hitl, request)
    cancel(hitl, request)
    assert sorted(told(hitl)) == people
    assert told(hitl)[ANN].subject.startswith("Cancelled: ")


def test_the_manager_who_did_it_is_named(hitl: Hitl) -> None:
    request, browser = ask(hitl), manager(hitl)
    page = browser.get(f"/d/{hitl.deployment_id}/requests/{request.id}")
    send(browser, form_of(page, "assigned_to_email"), {"assigned_to_email": BOB}, "do=reassign")
    assert "boss@example.com reassigned it to bob@example.com" in told(hitl)[ANN].text
    assert "You were asked because boss@example.com reassigned this to you." in hitl.inbox[-1].text


def test_who_gives_their_own_request_away_or_cancels_it_knows(hitl: Hitl) -> None:
    browser = manager(hitl, ANN)
    request = ask(hitl)
    page = browser.get(f"/d/{hitl.deployment_id}/requests/{request.id}")
    send(browser, form_of(page, "assigned_to_email"), {"assigned_to_email": BOB}, "do=reassign")
    assert request.now()["assigned_to_email"] == BOB
    assert told(hitl) == {}


def test_who_passes_it_on_by_mail_gets_one_mail_about_it(hitl: Hitl) -> None:
    ask(hitl)
    hitl.reply("delegate: bob@example.com")
    assert told(hitl) == {}
    assert [mail.to for mail in hitl.inbox].count(ANN) == 2


def test_an_application_that_names_somebody_else_ends_what_the_assignee_had_to_do(hitl: Hitl) -> None:
    callback(hitl, ask(hitl), responder=BOB)
    mail = told(hitl)[ANN]
    assert mail.subject.startswith("Already answered: ")
    assert BOB not in mail.text, "that it was Bob is what the application says"


@pytest.mark.parametrize("who", [{}, {"responder": ANN}])
def test_an_application_that_names_nobody_else_answers_for_the_one_who_is_asked(hitl: Hitl, who: Any) -> None:
    callback(hitl, ask(hitl), **who)
    assert told(hitl) == {}


def test_who_answers_is_told_nothing_more(hitl: Hitl) -> None:
    ask(hitl)
    hitl.reply("approved")
    assert told(hitl) == {}


def test_nobody_is_told_who_was_never_mailed(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    for end in (cancel, lambda hitl, request: reassign(hitl, request, BOB)):
        end(hitl, ask(hitl, "group:finance"))
    callback(hitl, ask(hitl, "group:finance"))
    assert hitl.inbox == []


def test_whose_mail_did_not_arrive_is_not_written_to_again(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.bounce(request, ANN)
    assert told(hitl) == {}
    assert f"because email to {ANN} could not be delivered, so the request was passed on to you" in hitl.inbox[-1].text


def test_who_got_it_back_is_not_told_that_it_is_gone(hitl: Hitl) -> None:
    request = ask(hitl)
    reassign(hitl, request, BOB)
    reassign(hitl, request, ANN)
    hitl.reply("approved", to=[mail for mail in hitl.inbox if mail.to == ANN][-1])
    assert (request.outcome, sorted(told(hitl))) == ("approved", [ANN, BOB])


def test_a_reassigned_group_hears_who_gave_it_to_them_and_not_of_the_rule(hitl: Hitl) -> None:
    hitl.configure(rules=[{"name": "R", "match": {"method_name": "*"}, "assign_to_email": ANN}])
    hitl.configure(settings={"groups": GROUPS})
    request = hitl.ask("Pay?", emit=EMIT)
    reassign(hitl, request, "group:finance")
    mail = [mail for mail in hitl.inbox if mail.to == BOB][-1]
    why = 'a program of the deployment "Content Review" reassigned this to finance: you and 2 more'
    assert why in mail.text
    assert "routing rule" not in mail.text
    page = hitl.page("GET", hitl.review_url(mail)).text
    assert "reassigned this to finance" in page
    assert "routing rule" not in page
