"""The person who is asked passes the request on themselves: by mail or on the page, where the setting allows it."""

from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import Channel
from flow_hitl.people.access import ProvenAddress
from flow_hitl.platform.errors import ValidationFailed
from flow_hitl.requests.changing.delegate import Delegation
from infra.local.hitl_fixture import AskedRequest, Hitl, Mail
from tests.support.asserts import EMIT, callback

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"


def ask(hitl: Hitl, *, allowed: bool = True, **fields: Any) -> AskedRequest:
    hitl.configure(settings={"allow_delegation": allowed})
    return hitl.ask("Publish?", emit=EMIT, **{"assigned_to_email": ANN, **fields})


def mail_to(hitl: Hitl, person: str) -> Mail:
    """Return the last mail to a person."""
    return [mail for mail in hitl.inbox if mail.to == person][-1]


def passed_on(request: AskedRequest) -> list[dict[str, object]]:
    return [event for event in request.timeline if event["kind"] == "request_reassigned"]


def test_a_reply_passes_it_on(hitl: Hitl) -> None:
    request = ask(hitl)

    hitl.reply("delegate: bob@example.com\nyou know this better")

    assert (request.status, request.now()["assigned_to_email"]) == ("pending", BOB)
    assert request.now()["assigned_by"] == "reassignment"
    assert f"{ANN} passed the request on to you" in mail_to(hitl, BOB).text
    hitl.reply("approved", to=mail_to(hitl, BOB))
    assert (request.outcome, request.response["responder"]) == ("approved", BOB)


def test_who_passed_it_on_is_told_and_stands_in_the_audit_log(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("delegate: bob@example.com")
    confirmation = mail_to(hitl, ANN)
    assert confirmation.subject.startswith("Passed on:")
    assert BOB in confirmation.text
    assert confirmation.reply_to is None
    (event,) = passed_on(request)
    assert event["actor"] == ANN
    assert isinstance(event["data"], dict)
    assert (event["data"]["delegated_by"], event["data"]["delegated_to"], event["data"]["via"]) == (ANN, BOB, "email")


def test_their_own_token_and_link_are_dead(hitl: Hitl) -> None:
    request = ask(hitl)
    anns = mail_to(hitl, ANN)
    hitl.reply("delegate: bob@example.com")
    hitl.reply("approved", to=anns)
    assert hitl.page("POST", hitl.review_url(anns), {"outcome": "approved"}).status == 403
    assert request.status == "pending"


def test_the_page_passes_it_on(hitl: Hitl) -> None:
    request = ask(hitl)
    link = hitl.review_url()
    assert 'name="delegate_to"' in hitl.page("GET", link).text

    page = hitl.page("POST", link, {"delegate_to": " bob@example.com "})

    assert (page.status, "Passed on" in page.text, BOB in page.text) == (200, True, True)
    assert request.now()["assigned_to_email"] == BOB
    (event,) = passed_on(request)
    assert event["actor"] == ANN
    # Whoever did it on the page has seen it there.
    assert hitl.inbox[-1].to == BOB
    assert hitl.page("GET", link).status == 403


def test_no_more_people_are_asked_than_a_group_may_have(hitl: Hitl) -> None:
    crowd = [f"person{number}@example.com" for number in range(50)]
    legal = {"address": "legal@example.com", "members": [BOB, CLEO]}
    hitl.configure(settings={"groups": [{"name": "crowd", "members": crowd}, legal], "email_notifications": False})
    hitl.configure(rules=[{"name": "all", "match": {"method_name": "*"}, "assign_to_email": "group:crowd"}])
    request = ask(hitl, assigned_to_email=None)
    deployment = current().manage_deployments.show(hitl.deployment_id)

    def pass_on(to: str) -> None:
        wish = Delegation(ProvenAddress(crowd[0]), crowd[0], to, Channel.EMAIL)
        current().delegate(deployment, request.id, wish)

    with pytest.raises(ValidationFailed, match="more than the 50 people"):
        pass_on("legal@example.com")
    assert passed_on(request) == []
    pass_on(BOB)
    assert len(passed_on(request)) == 1


def test_where_the_setting_is_off_a_reply_is_told_so(hitl: Hitl) -> None:
    request = ask(hitl, allowed=False)
    hitl.reply("delegate: bob@example.com")
    assert (request.status, request.now()["assigned_to_email"]) == ("pending", ANN)
    refusal = mail_to(hitl, ANN)
    assert "not passed on" in refusal.subject
    hitl.reply("approved", to=refusal)
    assert request.outcome == "approved"


def test_where_the_setting_is_off_the_page_offers_and_does_nothing(hitl: Hitl) -> None:
    request = ask(hitl, allowed=False)
    link = hitl.review_url()
    assert "delegate" not in hitl.page("GET", link).text
    assert "delegate:" not in hitl.inbox[-1].text
    assert hitl.page("POST", link, {"delegate_to": BOB}).status == 403
    assert request.now()["assigned_to_email"] == ANN


def test_the_mail_says_how(hitl: Hitl) -> None:
    ask(hitl)
    assert 'reply with "delegate:" and an address as the first line' in hitl.inbox[-1].text


@pytest.mark.parametrize("to", ["bob@localhost", "ann@example.com", "a@b@example.com"])
def test_an_address_that_cannot_be_asked_is_refused(hitl: Hitl, to: str) -> None:
    request = ask(hitl)
    hitl.reply(f"delegate: {to}")
    refusal = mail_to(hitl, ANN)
    assert "not passed on" in refusal.subject
    assert f"delegate: {to}" in refusal.text
    page = hitl.page("POST", hitl.review_url(refusal), {"delegate_to": to})
    assert page.status == 422
    assert f'value="{to}"' in page.text
    assert passed_on(request) == []


def test_only_to_the_allowed_domains(hitl: Hitl) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["example.com"]})
    request = ask(hitl)
    hitl.reply("delegate: mallory@evil.example")
    assert "not passed on" in mail_to(hitl, ANN).subject
    hitl.reply("delegate: bob@example.com", to=mail_to(hitl, ANN))
    assert request.now()["assigned_to_email"] == BOB


def test_nobody_else_passes_it_on(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("delegate: mallory@evil.example", sender="mallory@evil.example")
    assert passed_on(request) == []


def test_an_unproven_sender_passes_nothing_on(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("delegate: bob@example.com", verdicts={"dmarc": "FAIL"})
    assert passed_on(request) == []


def test_the_same_mail_twice_passes_it_on_once(hitl: Hitl) -> None:
    request = ask(hitl)
    asked = mail_to(hitl, ANN)
    raw = f"From: {ANN}\r\nTo: {asked.reply_to}\r\nSubject: Re\r\n\r\ndelegate: bob@example.com\r\n".encode()
    for _ in range(2):
        hitl.receive(raw, recipients=[asked.reply_to or ""], mail_from=ANN, message_id="same")
    assert len(passed_on(request)) == 1


def test_after_the_answer_there_is_nothing_to_pass_on(hitl: Hitl) -> None:
    request = ask(hitl)
    asked = mail_to(hitl, ANN)
    callback(hitl, request)
    hitl.reply("delegate: bob@example.com", to=asked)
    assert "already answered" in mail_to(hitl, ANN).subject
    assert "Already answered" in hitl.page("POST", hitl.review_url(asked), {"delegate_to": BOB}).text
    assert passed_on(request) == []


def test_a_cancelled_request_is_not_passed_on(hitl: Hitl) -> None:
    request = ask(hitl)
    asked = mail_to(hitl, ANN)
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    hitl.reply("delegate: bob@example.com", to=asked)
    assert "cancelled" in mail_to(hitl, ANN).subject
    assert passed_on(request) == []


def test_a_member_of_a_group_puts_somebody_in_their_own_place(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANN, CLEO]}]})
    request = ask(hitl, assigned_to_email="group:finance")
    cleos, asked = mail_to(hitl, CLEO), len(hitl.inbox)

    hitl.reply("delegate: bob@example.com", to=mail_to(hitl, ANN))

    assert sorted(mail.to for mail in hitl.inbox[asked:]) == [ANN, BOB]
    assert request.now()["assigned_to_email"] == "group:finance"
    hitl.reply("approved", to=cleos)
    assert request.response["responder"] == CLEO
    assert "Answered by" in mail_to(hitl, BOB).subject


def test_it_can_be_passed_on_again(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("delegate: bob@example.com")
    hitl.reply("delegate: cleo@example.com", to=mail_to(hitl, BOB))
    hitl.reply("rejected", to=mail_to(hitl, CLEO))
    assert (request.outcome, [event["actor"] for event in passed_on(request)]) == ("rejected", [ANN, BOB])


def test_whose_mail_does_not_arrive_is_replaced_by_the_creator(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("delegate: bob@example.com")
    hitl.bounce(request, BOB)
    assert request.now()["assigned_to_email"] == "creator@example.com"
    assert "the request was passed on to you" in hitl.inbox[-1].text
