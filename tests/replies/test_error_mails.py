"""The mails that answer a reply: to the token's address alone, one for each, few a day, and marked as automatic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from flow_hitl.replies.rejections import DAILY_LIMIT, RejectionReason
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import callback
from tests.support.receipts import INBOUND, JANE, asked, assert_automatic_and_only_to_jane, audit_events, discards


@dataclass(frozen=True)
class Refusal:
    """How a reply is refused for one reason, and whether another reply could help."""

    asks_again: bool
    reply: Mapping[str, Any]
    before: Callable[[Hitl, AskedRequest], object] = lambda _hitl, _request: None
    fields: Mapping[str, Any] = field(default_factory=dict)


AMOUNT = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
REFUSALS = {
    RejectionReason.NOT_AN_OPTION: Refusal(True, {"text": "perhaps"}, fields={"free_text": "ask_again"}),
    RejectionReason.COMMENT_MISSING: Refusal(
        True, {"text": "approved"}, fields={"options": {"approved": {"comment": "required"}}}
    ),
    RejectionReason.WRONG_FIELDS: Refusal(True, {"text": "approved"}, fields={"response_schema": AMOUNT}),
    RejectionReason.NO_ANSWER_FOUND: Refusal(True, {"text": ""}),
    RejectionReason.EMOJI_REACTION: Refusal(True, {"text": "[like] Jane reacted to your message:"}),
    RejectionReason.UNREADABLE: Refusal(True, {"text": "", "raw": b"From: jane@example.org\0\r\n\r\napproved"}),
    RejectionReason.SENDER_MISMATCH: Refusal(True, {"text": "approved", "sender": "mallory@evil.example"}),
    RejectionReason.SENDER_UNPROVEN: Refusal(False, {"text": "approved", "verdicts": {"dmarc": "FAIL"}}),
    RejectionReason.EXPIRED: Refusal(True, {"text": "approved"}, lambda hitl, _: hitl.advance(days=8)),
    RejectionReason.DELEGATION_OFF: Refusal(True, {"text": "delegate: bob@example.com"}),
    RejectionReason.DELEGATION_REFUSED: Refusal(
        True,
        {"text": f"delegate: {JANE}"},
        lambda hitl, _: hitl.configure(settings={"allow_delegation": True}),
    ),
    RejectionReason.QUESTION_REFUSED: Refusal(True, {"text": "question:"}, fields={"questions": True}),
    RejectionReason.ALREADY_RESPONDED: Refusal(
        False, {"text": "approved"}, lambda hitl, request: callback(hitl, request, "rejected")
    ),
    RejectionReason.CANCELLED: Refusal(
        False, {"text": "approved"}, lambda hitl, request: hitl.api("DELETE", f"/v1/requests/{request.id}")
    ),
}


def test_every_refusal_is_tried() -> None:
    # Only the creator can meet the ban on self-approval by mail: tests/deployments/test_management.py has it.
    # And whoever is told of a reassignment is not who has the request: tests/replies/test_former_responders.py.
    assert set(REFUSALS) == set(RejectionReason) - {RejectionReason.SELF_APPROVAL, RejectionReason.REASSIGNED}


@pytest.mark.parametrize("reason", REFUSALS)
def test_each_refusal_is_told_once_and_only_to_the_assignee(hitl: Hitl, reason: RejectionReason) -> None:
    refusal = REFUSALS[reason]
    request = asked(hitl, **refusal.fields)
    refusal.before(hitl, request)
    sent = len(hitl.inbox)
    hitl.reply(**refusal.reply, to=hitl.inbox[0])
    events = [event["data"]["reason"] for event in audit_events(hitl) if event["kind"] == "reply_rejected"]
    assert events == [reason.value]
    assert len(hitl.inbox) == sent + 1
    assert_automatic_and_only_to_jane(hitl.inbox)
    mail = hitl.inbox[-1]
    assert mail.message["Auto-Submitted"] == "auto-replied"
    assert (mail.reply_to is not None) == refusal.asks_again
    assert (f"@{INBOUND}" in mail.text + mail.html) == refusal.asks_again, (
        "a final mail shows no reply address anywhere"
    )
    if refusal.asks_again:
        hitl.reply("approved\namount: 3", to=mail)
        assert request.outcome == "approved", "the address in the mail works"


def test_who_cannot_be_proven_gets_a_link_to_confirm(hitl: Hitl) -> None:
    request = asked(hitl)
    hitl.reply("approved", verdicts={"dmarc": "PROCESSING_FAILED"})
    assert hitl.page("GET", hitl.review_url()).status == 200
    assert request.status == "pending"


def test_error_mails_are_few_a_day_and_the_rest_can_be_looked_up(hitl: Hitl) -> None:
    request = asked(hitl)
    notification = hitl.inbox[0]
    for number in range(DAILY_LIMIT + 1):
        hitl.receive(
            b"From: mallory@evil.example\r\n\r\napproved",
            recipients=[notification.reply_to or ""],
            mail_from="mallory@evil.example",
            message_id=f"flood{number}",
        )
    assert len(hitl.inbox) == 1 + DAILY_LIMIT
    assert discards(hitl) == ["today's error mails are used up: sender_mismatch"]
    hitl.reply("approved", to=notification)
    assert request.outcome == "approved", "the flood keeps nobody from answering"
    assert_automatic_and_only_to_jane(hitl.inbox)


def test_a_confirmation_shows_no_address_to_answer_to(hitl: Hitl) -> None:
    asked(hitl)
    hitl.reply("approved")
    confirmation = hitl.inbox[-1]
    assert confirmation.reply_to is None
    assert INBOUND not in confirmation.text
    assert "hitl.test/review/" not in confirmation.text


@pytest.mark.parametrize(
    "text",
    ["approved\n" + "\U0001f600" * 60_000, "approved\n" + "\x01" * 60_000, "é" * 60_000, "approved\x85\x1c\ud7ff"],
)
def test_answers_of_every_size_and_kind_are_confirmed(hitl: Hitl, text: str) -> None:
    request = asked(hitl)
    raw = f"From: {JANE}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    hitl.receive(raw, recipients=[hitl.inbox[0].reply_to or ""], mail_from=JANE)
    assert request.kinds[2:] == ["response_submitted", "confirmation_sent"]
    assert_automatic_and_only_to_jane(hitl.inbox)
