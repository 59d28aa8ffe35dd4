"""Whoever had a request before and replies now is told that somebody else has it, if the mail is proven theirs."""

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.replies.test_mail_replies import discards, rejection
from tests.support.asserts import EMIT

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def reassigned(hitl: Hitl) -> AskedRequest:
    """A request that Ann was mailed about before it was given to Bob."""
    request = hitl.ask("Publish this?", emit=EMIT, assigned_to_email=ANN)
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB})
    return request


def test_they_are_told_and_it_stands_on_the_timeline(hitl: Hitl, reassigned: AskedRequest) -> None:
    hitl.reply("approved", to=hitl.inbox[0])
    assert reassigned.status == "pending"
    assert (rejection(reassigned)["reason"], rejection(reassigned)["responder"]) == ("reassigned", ANN)
    mail = hitl.inbox[-1]
    assert (mail.to, mail.reply_to) == (ANN, None)
    assert "Someone else has this request now" in mail.subject
    assert "/review/" not in mail.text
    assert discards(hitl) == []
    hitl.reply("approved", to=next(mail for mail in hitl.inbox if mail.to == BOB))
    assert reassigned.outcome == "approved"


def test_also_weeks_later_and_after_the_answer_of_which_they_learn_nothing(
    hitl: Hitl, reassigned: AskedRequest
) -> None:
    hitl.reply("rejected\nbecause of a secret", to=next(mail for mail in hitl.inbox if mail.to == BOB))
    hitl.advance(days=30)
    hitl.reply("approved", to=hitl.inbox[0])
    assert hitl.inbox[-1].to == ANN
    assert "Someone else has this request now" in hitl.inbox[-1].subject
    assert "secret" not in hitl.inbox[-1].text + hitl.inbox[-1].html
    assert reassigned.outcome == "rejected"


@pytest.mark.parametrize(
    "sent", [{"verdicts": {"dmarc": "FAIL"}}, {"verdicts": {"dmarc": "GRAY", "spf": "FAIL"}}, {"sender": BOB}]
)
def test_nobody_is_told_of_a_mail_that_is_not_proven_theirs(
    hitl: Hitl, reassigned: AskedRequest, sent: dict[str, object]
) -> None:
    mails = len(hitl.inbox)
    hitl.reply("approved", to=hitl.inbox[0], **sent)  # type: ignore[arg-type]
    assert len(hitl.inbox) == mails
    assert discards(hitl)[0].startswith("reply address of somebody who no longer has the request")
    assert reassigned.status == "pending"


def test_the_limit_of_error_mails_holds_for_them_too(hitl: Hitl, reassigned: AskedRequest) -> None:
    mails = len(hitl.inbox)
    for _ in range(12):
        hitl.reply("approved", to=hitl.inbox[0])
    assert len(hitl.inbox) == mails + 10


def test_a_former_member_of_a_group_is_told(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANN, "carol@example.com"]}]})
    request = hitl.ask("Pay this?", emit=EMIT, assigned_to_email="group:finance")
    to_ann = next(mail for mail in hitl.inbox if mail.to == ANN)
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB})
    hitl.reply("approved", to=to_ann)
    assert (hitl.inbox[-1].to, rejection(request)["reason"]) == (ANN, "reassigned")


def test_who_passed_it_on_is_told(hitl: Hitl) -> None:
    hitl.configure(settings={"allow_delegation": True})
    request = hitl.ask("Publish this?", emit=EMIT, assigned_to_email=ANN)
    hitl.reply(f"delegate: {BOB}", to=hitl.inbox[0])
    hitl.reply("approved", to=hitl.inbox[0])
    assert (hitl.inbox[-1].to, rejection(request)["reason"]) == (ANN, "reassigned")


def test_who_never_had_it_is_told_nothing(hitl: Hitl, reassigned: AskedRequest) -> None:
    reply_to = hitl.inbox[0].reply_to or ""
    altered = ("b" if reply_to[55] == "a" else "a").join((reply_to[:55], reply_to[56:]))
    hitl.receive(b"From: ann@example.com\r\n\r\napproved", recipients=[altered], mail_from=ANN)
    assert discards(hitl) == ["reply address not issued by us to the assignee"]
    assert reassigned.status == "pending"
