"""The same mail twice, mails out of order, and mails after the answer: the first answer counts, once."""

import pytest

from infra.local.hitl_fixture import Hitl
from tests.support.asserts import callback
from tests.support.receipts import JANE, asked, assert_automatic_and_only_to_jane


def mail(text: str, sent: str = "Wed, 14 Jan 2026 12:00:00 +0000") -> bytes:
    return f"From: {JANE}\r\nSubject: Re: Review\r\nDate: {sent}\r\n\r\n{text}\r\n".encode()


class Sender:
    """Jane, at the first mail that she got; the same message id is the same mail, delivered again."""

    def __init__(self, hitl: Hitl) -> None:
        self._hitl, self._to = hitl, hitl.inbox[0].reply_to or ""

    def send(self, raw: bytes, message_id: str) -> None:
        self._hitl.receive(raw, recipients=[self._to], mail_from=JANE, message_id=message_id)


APPROVAL, REFUSAL = mail("approved"), mail("rejected", "Wed, 14 Jan 2026 11:00:00 +0000")


def test_the_first_to_arrive_decides_whatever_the_date_says(hitl: Hitl) -> None:
    request, jane = asked(hitl), Sender(hitl)
    jane.send(APPROVAL, "later")
    jane.send(REFUSAL, "earlier")
    assert request.outcome == "approved"
    assert request.kinds[2:] == ["response_submitted", "confirmation_sent", "reply_rejected", "error_mail_sent"]
    assert request.timeline[4]["data"]["reason"] == "already_responded"


@pytest.mark.parametrize("order", ["aab", "aba", "abb", "abab", "baab"])
def test_redeliveries_in_any_order_change_nothing(hitl: Hitl, order: str) -> None:
    request, jane = asked(hitl), Sender(hitl)
    for message_id in order:
        jane.send(APPROVAL if message_id == "a" else REFUSAL, message_id)
    assert request.outcome == ("approved" if order[0] == "a" else "rejected")
    kinds = request.kinds
    assert kinds.count("response_submitted") == kinds.count("confirmation_sent") == 1
    assert kinds.count("reply_rejected") == kinds.count("error_mail_sent") == len(set(order)) - 1
    assert len(hitl.inbox) == 1 + len(set(order))


def test_a_refused_mail_delivered_again_after_the_answer_is_not_refused_again(hitl: Hitl) -> None:
    request, jane = asked(hitl), Sender(hitl)
    jane.send(mail(""), "empty")
    jane.send(APPROVAL, "answer")
    jane.send(mail(""), "empty")
    assert request.kinds.count("reply_rejected") == 1
    assert request.outcome == "approved"


def test_who_answered_elsewhere_is_told_what_counts(hitl: Hitl) -> None:
    request, jane = asked(hitl), Sender(hitl)
    assert callback(hitl, request, "rejected").status == 200
    jane.send(APPROVAL, "late")
    assert request.outcome == "rejected"
    last = hitl.inbox[-1]
    assert "Rejected" in last.text
    assert last.reply_to is None
    assert_automatic_and_only_to_jane(hitl.inbox)
