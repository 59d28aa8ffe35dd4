"""What becomes of a person's mail: the rule alone, without a store or a mailbox."""

from dataclasses import replace
from typing import Any

import pytest

from flow_hitl.people.access import ProvenAddress
from flow_hitl.platform.errors import DelegationOff, FieldError, Forbidden, NotAnOption, ValidationFailed
from flow_hitl.replies.inbound_mail import InboundMail, Receipt
from flow_hitl.replies.rejections import DiscardReason, RejectionReason
from flow_hitl.replies.ruling import (
    Addressee,
    Answers,
    Discarded,
    PassesOn,
    Rejected,
    Ruling,
    judge_receipt,
    judge_refusal,
    judge_reply,
)
from flow_hitl.requests.request import Status
from tests.support.examples import ASSIGNEE, NOON, deployment, head

RECEIPT = Receipt(
    message_id="m1",
    recipients=(),
    mail_from=ASSIGNEE,
    spam="PASS",
    virus="PASS",
    spf="PASS",
    dkim="PASS",
    dmarc="PASS",
    bucket="mail",
    key="inbound/m1",
    at=NOON,
)
OTHER = "somebody@example.com"
SENDER = ProvenAddress(ASSIGNEE, (), (ASSIGNEE,))


def judged(
    answer: str = "approved",
    *,
    sender: str = ASSIGNEE,
    reaction: str | None = None,
    status: Status = Status.PENDING,
    is_asked: bool = True,
    has_expired: bool = False,
    **verdicts: Any,
) -> Ruling:
    mail = InboundMail((sender,), "", "", None, answer, None, reaction=reaction)
    addressee = Addressee(ASSIGNEE, is_asked, has_expired)
    return judge_reply(
        replace(RECEIPT, **verdicts), mail, answer, addressee, replace(head(), status=status), deployment()
    )


def reason(ruling: Ruling) -> RejectionReason | DiscardReason | None:
    return ruling.reason if isinstance(ruling, Rejected | Discarded) else None


def test_the_assignees_answer_and_delegation() -> None:
    assert judged() == Answers(SENDER)
    assert judged("delegate: bob@example.com") == PassesOn(SENDER, "bob@example.com")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"dmarc": "FAIL"}, RejectionReason.SENDER_UNPROVEN),
        ({"sender": OTHER}, RejectionReason.SENDER_MISMATCH),
        ({"answer": ""}, RejectionReason.NO_ANSWER_FOUND),
        ({"has_expired": True}, RejectionReason.EXPIRED),
        ({"reaction": "reaction"}, RejectionReason.EMOJI_REACTION),
        ({"reaction": "reaction", "sender": OTHER}, DiscardReason.EMOJI_REACTION),
        ({"reaction": "reaction", "dmarc": "FAIL"}, DiscardReason.EMOJI_REACTION),
        ({"reaction": "reaction", "status": Status.CANCELLED}, DiscardReason.EMOJI_REACTION),
        ({"is_asked": False}, RejectionReason.REASSIGNED),
        ({"is_asked": False, "sender": OTHER}, DiscardReason.NO_LONGER_ASKED),
        ({"is_asked": False, "dmarc": "FAIL"}, DiscardReason.NO_LONGER_ASKED),
        ({"is_asked": False, "reaction": "reaction"}, DiscardReason.EMOJI_REACTION),
    ],
)
def test_what_decides_nothing(how: dict[str, Any], expected: RejectionReason | DiscardReason) -> None:
    assert reason(judged(**how)) is expected


def test_who_asked_does_not_answer() -> None:
    asked = replace(head(), not_to_be_answered_by=(ASSIGNEE,))
    mail = InboundMail((ASSIGNEE,), "", "", None, "approved", None)
    ruling = judge_reply(RECEIPT, mail, "approved", Addressee(ASSIGNEE, True, False), asked, deployment())
    assert reason(ruling) is RejectionReason.SELF_APPROVAL


def test_an_expired_address_is_renewed_with_what_is_told() -> None:
    days = deployment().settings.reply_token_days
    for how in ({}, {"reaction": "reaction"}):
        ruling = judged(has_expired=True, **how)  # type: ignore[arg-type]
        assert isinstance(ruling, Rejected)
        assert ruling.data["renewed_days"] == days


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"virus": "FAIL"}, DiscardReason.VIRUS),
        ({"spam": "FAIL"}, DiscardReason.SPAM),
        ({"mail_from": ""}, DiscardReason.AUTOMATIC),
    ],
)
def test_what_is_not_even_read(how: dict[str, Any], expected: DiscardReason) -> None:
    found = judge_receipt(replace(RECEIPT, **how))
    assert found is not None
    assert found.reason is expected
    assert judge_receipt(RECEIPT) is None


def test_what_the_door_refused_is_put_into_words() -> None:
    again = judge_refusal(NotAnOption(["approved"], "x" * 300, "approved"))
    assert again == Rejected(RejectionReason.NOT_AN_OPTION, {"quoted": "x" * 200, "meant": "approved"})
    off = judge_refusal(DelegationOff("no"), "bob@example.com")
    assert off == Rejected(RejectionReason.DELEGATION_OFF, {"quoted": "delegate: bob@example.com"})
    refused = ValidationFailed([FieldError("/delegate_to", "is asked already")])
    assert judge_refusal(refused, "bob@example.com").data["why"] == "is asked already"
    for unforeseen in (Forbidden("somebody else has it now"), refused):
        with pytest.raises(type(unforeseen)):
            judge_refusal(unforeseen)
