"""A request goes to a group: each of its people is asked by a mail of their own, and the first answer wins."""

from typing import Any

import pytest

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import AskedRequest, Hitl, Mail
from tests.support.asserts import EMIT, assert_invalid, callback

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"
MAILBOX = "finance@company.com"
FINANCE = {"name": "finance", "address": MAILBOX, "members": [ANN, BOB, CLEO]}


def ask(hitl: Hitl, to: str = "group:finance", **fields: Any) -> AskedRequest:
    hitl.configure(settings={"groups": [FINANCE]})
    rule = {"name": "Approvals", "match": {"method_name": "approve_*"}, "assign_to_email": to}
    hitl.configure(rules=[rule])
    return hitl.ask("Pay?", emit=EMIT, method_name="approve_payment", **fields)


def mail_to(hitl: Hitl, person: str) -> Mail:
    """Return the last mail to a person."""
    return [mail for mail in hitl.inbox if mail.to == person][-1]


def written_to(hitl: Hitl, since: int = 0) -> list[str]:
    return sorted(mail.to for mail in hitl.inbox[since:])


@pytest.mark.parametrize("to", ["group:finance", MAILBOX, MAILBOX.upper()])
def test_each_person_gets_their_own_mail_and_token(hitl: Hitl, to: str) -> None:
    request = ask(hitl, to)
    assert written_to(hitl) == [ANN, BOB, CLEO]
    assert len({mail.reply_to for mail in hitl.inbox}) == 3
    assert len({hitl.review_url(mail) for mail in hitl.inbox}) == 3
    assert (request.now()["assigned_to_email"], request.now()["assigned_by"]) == (to, "assign_to_email")
    assert sorted(event["data"]["to"] for event in request.timeline[1:]) == [ANN, BOB, CLEO]


def test_the_mail_says_that_others_were_asked_too(hitl: Hitl) -> None:
    ask(hitl)
    text = mail_to(hitl, ANN).text
    assert 'the request went to finance by the routing rule "Approvals": you and 2 more' in text
    assert f"Only {ANN} can answer this email" in text


def test_the_first_answer_wins_and_the_others_are_told(hitl: Hitl) -> None:
    request = ask(hitl)
    asked = len(hitl.inbox)

    hitl.reply("approved\nfine", to=mail_to(hitl, BOB))

    assert (request.outcome, request.response["responder"]) == ("approved", BOB)
    assert written_to(hitl, asked) == [ANN, BOB, CLEO]
    told = mail_to(hitl, ANN)
    assert told.subject == f"Answered by {BOB}: Approve payment (Content Review)"
    assert "nothing more to do" in told.text
    assert "Approved" in told.text
    assert told.reply_to is None
    assert "recorded" in mail_to(hitl, BOB).text
    assert request.kinds.count("handled_mail_sent") == 2


def test_the_mail_that_says_so_stands_in_the_thread_of_the_persons_own_notification(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("approved", to=mail_to(hitl, BOB))
    sent = {e["data"]["to"]: e["data"]["message_id"] for e in request.timeline if e["kind"] == "notification_sent"}
    assert mail_to(hitl, ANN).message["In-Reply-To"] == f"<{sent[ANN]}@email.amazonses.com>"


def test_who_replies_later_is_told_who_was_faster(hitl: Hitl) -> None:
    request = ask(hitl)
    anns = mail_to(hitl, ANN)
    hitl.reply("approved", to=mail_to(hitl, BOB))

    hitl.reply("rejected", to=anns)

    assert request.outcome == "approved"
    refusal = mail_to(hitl, ANN)
    assert "already answered" in refusal.subject
    assert BOB in refusal.text


def test_the_same_answer_from_a_second_person_is_late_too(hitl: Hitl) -> None:
    request = ask(hitl)
    anns = mail_to(hitl, ANN)
    hitl.reply("approved", to=mail_to(hitl, BOB))
    hitl.reply("approved", to=anns)
    assert request.response["responder"] == BOB
    assert request.kinds.count("error_mail_sent") == 1


def test_each_persons_link_shows_and_answers(hitl: Hitl) -> None:
    request = ask(hitl)
    anns, cleos = (hitl.review_url(mail_to(hitl, person)) for person in (ANN, CLEO))
    assert f"This link is for {ANN} alone" in hitl.page("GET", anns).text

    assert hitl.page("POST", cleos, {"outcome": "rejected"}).status == 200

    assert (request.outcome, request.response["responder"]) == ("rejected", CLEO)
    late = hitl.page("GET", anns)
    assert "Already answered" in late.text
    assert CLEO in late.text


def test_nobody_answers_by_a_colleagues_reply_address(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("approved", to=mail_to(hitl, ANN), sender=BOB)
    assert request.status == "pending"
    assert "another address" in mail_to(hitl, ANN).subject


def test_the_shared_mailbox_itself_is_written_to_by_nobody_and_answers_nothing(hitl: Hitl) -> None:
    request = ask(hitl, MAILBOX)
    assert MAILBOX not in written_to(hitl)
    hitl.reply("approved", to=mail_to(hitl, ANN), sender=MAILBOX)
    assert request.status == "pending"


def test_an_answer_by_api_is_told_to_everybody(hitl: Hitl) -> None:
    request = ask(hitl)
    asked = len(hitl.inbox)
    callback(hitl, request, responder=BOB)
    # What an application says of its user is a claim: the mail names nobody.
    assert BOB not in mail_to(hitl, ANN).subject
    assert "through the API" in mail_to(hitl, ANN).text
    assert written_to(hitl, asked) == [ANN, BOB, CLEO]


def test_when_the_clock_answers_everybody_is_told(hitl: Hitl) -> None:
    request = ask(hitl, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    asked = len(hitl.inbox)
    hitl.advance(minutes=60)
    assert request.outcome == "rejected"
    assert written_to(hitl, asked) == [ANN, BOB, CLEO]
    assert mail_to(hitl, ANN).subject.startswith("Answered automatically: ")


def test_with_notifications_off_nobody_is_written_to(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = ask(hitl)
    callback(hitl, request)
    assert hitl.inbox == []


def test_each_person_is_reminded_in_their_own_thread(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"minutes_before_timeout": 15}]})
    request = ask(hitl, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    asked = len(hitl.inbox)
    hitl.advance(minutes=45)
    assert written_to(hitl, asked) == [ANN, BOB, CLEO]
    assert len({mail.message["In-Reply-To"] for mail in hitl.inbox[asked:]}) == 3
    hitl.reply("approved", to=mail_to(hitl, CLEO))
    assert request.response["responder"] == CLEO


def test_a_request_is_reassigned_to_a_group_and_from_it(hitl: Hitl) -> None:
    ask(hitl)
    request = hitl.ask("Pay?", emit=EMIT, assigned_to_email="dan@example.com")
    path, asked = f"/v1/requests/{request.id}/reassign", len(hitl.inbox)

    assert hitl.api("POST", path, {"assigned_to_email": "group:finance"}).status == 200
    assert written_to(hitl, asked) == [ANN, BOB, CLEO, "dan@example.com"]
    anns = mail_to(hitl, ANN)

    assert hitl.api("POST", path, {"assigned_to_email": BOB}).status == 200
    hitl.reply("approved", to=anns)
    assert hitl.page("GET", hitl.review_url(anns)).status == 403
    assert request.status == "pending"
    hitl.reply("rejected", to=mail_to(hitl, BOB))
    assert request.outcome == "rejected"


def test_a_request_may_name_the_group_itself(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [FINANCE]})
    request = hitl.ask("Pay?", emit=EMIT, assigned_to_email="group:finance")
    assert written_to(hitl) == [ANN, BOB, CLEO]
    assert request.now()["assigned_by"] == "request"


def test_a_group_that_does_not_exist_is_refused_by_name(hitl: Hitl) -> None:
    body = {"flow_id": "f", "method_name": "m", "message": "x", "assigned_to_email": "group:legal"}
    assert_invalid(hitl.api("POST", "/v1/requests", body), "/assigned_to_email")
    request = hitl.ask()
    path = f"/v1/requests/{request.id}/reassign"
    assert_invalid(hitl.api("POST", path, {"assigned_to_email": "group:legal"}), "/assigned_to_email")


def test_a_rule_for_a_group_that_is_gone_falls_through_to_the_creator(hitl: Hitl) -> None:
    request = ask(hitl, "group:legal")
    assert hitl.inbox[-1].to == "creator@example.com"
    assert any("group:legal" in reason for reason in request.timeline[0]["data"]["routing"])


def test_what_a_flow_writes_into_its_state_names_no_group(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [FINANCE]})
    rule = {"name": "R", "match": {"method_name": "*"}, "assign_from_input": "who"}
    hitl.configure(rules=[rule])
    hitl.ask(state={"who": "group:finance"})
    assert written_to(hitl) == ["creator@example.com"]


def test_a_change_of_the_group_is_for_the_next_request(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.configure(settings={"groups": [{**FINANCE, "members": [CLEO]}]})
    hitl.reply("approved", to=mail_to(hitl, ANN))
    assert request.outcome == "approved"


def test_one_mail_that_does_not_arrive_takes_nothing_from_the_others(hitl: Hitl) -> None:
    request = ask(hitl)
    lost = mail_to(hitl, ANN)
    hitl.bounce(request, ANN)
    assert request.now()["assigned_to_email"] == "group:finance"
    hitl.reply("approved", to=lost)
    assert request.status == "pending"
    hitl.reply("approved", to=mail_to(hitl, BOB))
    assert request.outcome == "approved"


def test_when_no_mail_arrives_the_creator_is_asked(hitl: Hitl) -> None:
    request = ask(hitl)
    for person in (ANN, BOB, CLEO):
        hitl.bounce(request, person)
    assert hitl.inbox[-1].to == "creator@example.com"
    assert request.now()["assigned_to_email"] == "creator@example.com"


def test_suppressed_people_are_passed_over(hitl: Hitl) -> None:
    hitl.bounce(hitl.ask(assigned_to_email=ANN), ANN)
    assert current().suppressed.reason(ANN)
    written = len(hitl.inbox)
    ask(hitl)
    assert written_to(hitl, written) == [BOB, CLEO]
