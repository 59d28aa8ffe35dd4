"""What becomes of a person's mail: the rule alone, without a store or a mailbox."""

from dataclasses import replace
from typing import Any

import pytest

from flow_hitl.people.access import ProvenAddress
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AnsweredAlike,
    AssignedElsewhere,
    DelegationOff,
    FieldError,
    Forbidden,
    NotAnOption,
    NotPending,
    ValidationFailed,
)
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
from tests.support.examples import ASSIGNEE, NOON, REQUEST_ID, deployment, head

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


UNPROVEN = {"why": "the email does not come from example.com (DMARC failed)", "claimed_sender": ASSIGNEE}


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"dmarc": "FAIL"}, Rejected(RejectionReason.SENDER_UNPROVEN, UNPROVEN)),
        ({"sender": OTHER}, Rejected(RejectionReason.SENDER_MISMATCH, {"claimed_sender": OTHER})),
        ({"answer": " \n "}, Rejected(RejectionReason.NO_ANSWER_FOUND)),
        ({"has_expired": True}, Rejected(RejectionReason.EXPIRED, {"renewed_days": 7})),
        ({"has_expired": True, "answer": ""}, Rejected(RejectionReason.EXPIRED, {"renewed_days": 7})),
        ({"has_expired": True, "dmarc": "FAIL"}, Rejected(RejectionReason.SENDER_UNPROVEN, UNPROVEN)),
        (
            {"reaction": "x-reaction"},
            Rejected(RejectionReason.EMOJI_REACTION, {"why": "x-reaction"}, f"reaction/{REQUEST_ID}/{ASSIGNEE}"),
        ),
        (
            {"reaction": "x-reaction", "has_expired": True},
            Rejected(
                RejectionReason.EMOJI_REACTION,
                {"why": "x-reaction", "renewed_days": 7},
                f"reaction/{REQUEST_ID}/{ASSIGNEE}",
            ),
        ),
        ({"reaction": "x-reaction", "sender": OTHER}, Discarded(DiscardReason.EMOJI_REACTION, "x-reaction")),
        ({"is_asked": False}, Rejected(RejectionReason.REASSIGNED)),
        ({"is_asked": False, "sender": OTHER}, Discarded(DiscardReason.NO_LONGER_ASKED, "sent by someone else")),
        ({"is_asked": False, "dmarc": "FAIL"}, Discarded(DiscardReason.NO_LONGER_ASKED, UNPROVEN["why"])),
        ({"is_asked": False, "reaction": "x"}, Discarded(DiscardReason.EMOJI_REACTION, "x")),
    ],
)
def test_whoever_is_told_is_told_why(how: dict[str, Any], told: Ruling) -> None:
    assert judged(**how) == told


def test_a_reaction_is_known_by_its_text_too_and_counts_once_for_each_person() -> None:
    told = judged("\U0001f44d Ann reacted to your message:")
    assert told == Rejected(RejectionReason.EMOJI_REACTION, {"why": "its text"}, f"reaction/{REQUEST_ID}/{ASSIGNEE}")


def test_a_reaction_is_known_by_the_name_of_who_reacted() -> None:
    mail = InboundMail((ASSIGNEE,), "", "", None, "", None, sender_name="Ann Lee")
    addressee = Addressee(ASSIGNEE.upper(), True, False)
    told = judge_reply(RECEIPT, mail, "Ann Lee findet das gut:", addressee, head(), deployment())
    assert told == Rejected(RejectionReason.EMOJI_REACTION, {"why": "its text"}, f"reaction/{REQUEST_ID}/{ASSIGNEE}")


def test_where_email_must_be_proven_by_a_policy_nothing_else_proves_it() -> None:
    strict = deployment(settings=replace(deployment().settings, require_dmarc_pass=True))
    mail = InboundMail((ASSIGNEE,), "", "", None, "approved", None)
    receipt = replace(RECEIPT, dmarc="GRAY")
    for place, expected in ((deployment(), None), (strict, RejectionReason.SENDER_UNPROVEN)):
        ruling = judge_reply(receipt, mail, "approved", Addressee(ASSIGNEE, True, False), head(), place)
        assert reason(ruling) is expected


def test_one_of_a_group_does_not_answer_from_anothers_reply_address() -> None:
    asked = replace(head(), group_members=(ASSIGNEE, OTHER))
    mail = InboundMail((OTHER,), "", "", None, "approved", None)
    ruling = judge_reply(RECEIPT, mail, "approved", Addressee(ASSIGNEE, True, False), asked, deployment())
    assert ruling == Rejected(RejectionReason.SENDER_MISMATCH, {"claimed_sender": OTHER})


def test_who_asked_passes_it_on_to_nobody() -> None:
    asked = replace(head(), not_to_be_answered_by=(ASSIGNEE,))
    mail = InboundMail((ASSIGNEE,), "", "", None, "", None)
    addressee = Addressee(ASSIGNEE, True, False)
    ruling = judge_reply(RECEIPT, mail, "delegate: bob@example.com", addressee, asked, deployment())
    assert ruling == Rejected(RejectionReason.SELF_APPROVAL)


def test_what_became_of_an_email_is_counted_and_logged_in_words() -> None:
    assert str(Rejected(RejectionReason.EXPIRED)) == "rejected: expired"
    assert str(Discarded(DiscardReason.SPAM)) == "discarded: spam check failed"
    assert str(Discarded(DiscardReason.AUTOMATIC, "x")) == "discarded: automatic: x"


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
    assert found.details == ("no envelope sender" if "mail_from" in how else "")
    assert judge_receipt(RECEIPT) is None


def test_what_the_door_refused_is_put_into_words() -> None:
    again = judge_refusal(NotAnOption(["approved"], "x" * 300, "approved"))
    assert again == Rejected(RejectionReason.NOT_AN_OPTION, {"quoted": "x" * 200, "meant": "approved"})
    off = judge_refusal(DelegationOff("no"), "bob@example.com")
    assert off == Rejected(RejectionReason.DELEGATION_OFF, {"quoted": "delegate: bob@example.com"})
    # Whatever somebody wrote, the email that quotes it stays short.
    assert judge_refusal(DelegationOff("no"), "b" * 300).data["quoted"] == "delegate: " + "b" * 190
    assert judge_refusal(NotAnOption(["approved"], "x", None)).data == {"quoted": "x"}
    about: Any = {"responded_via": "email", "responded_at": "", "outcome": None}
    own = Rejected(RejectionReason.ALREADY_RESPONDED, {"own": True})
    assert judge_refusal(AnsweredAlike("yours", **about)) == own
    assert judge_refusal(AlreadyResponded("theirs", **about)) == Rejected(RejectionReason.ALREADY_RESPONDED)
    assert judge_refusal(NotPending("canceled", request_status="x")) == Rejected(RejectionReason.CANCELLED)
    # It was passed on at the very same moment.
    assert judge_refusal(AssignedElsewhere()) == Rejected(RejectionReason.REASSIGNED)
    refused = ValidationFailed([FieldError("/delegate_to", "is asked already")])
    assert judge_refusal(refused, "bob@example.com") == Rejected(
        RejectionReason.DELEGATION_REFUSED, {"quoted": "delegate: bob@example.com", "why": "is asked already"}
    )
    for unforeseen in (Forbidden("for another reason"), refused):
        with pytest.raises(type(unforeseen)):
            judge_refusal(unforeseen)
