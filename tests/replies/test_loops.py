"""Our own mails, sent back to us: a loop ends at its first turn."""

from copy import deepcopy

import pytest

from infra.local.hitl_fixture import Hitl
from tests.support.receipts import JANE, Watch, asked, discards


def send_back(hitl: Hitl, raw: bytes, sender: str) -> None:
    reply_to = hitl.inbox[0].reply_to
    assert reply_to
    hitl.receive(raw, recipients=[reply_to], mail_from=sender)


@pytest.mark.parametrize("sender", ["reviews@hitl.test", JANE])
def test_our_notification_sent_back_is_dropped(hitl: Hitl, sender: str) -> None:
    watch = Watch(hitl, asked(hitl))
    raw = hitl.inbox[0].message.as_bytes().replace(b"reviews@hitl.test", sender.encode())
    send_back(hitl, raw, sender)
    assert watch.ending().words == "discarded: automatic: Auto-Submitted: auto-generated"


def test_our_notification_sent_back_without_its_headers_is_dropped(hitl: Hitl) -> None:
    watch = Watch(hitl, asked(hitl))
    # Mails that are alike are parsed once in a process: this one is changed.
    message = deepcopy(hitl.inbox[0].message)
    del message["Auto-Submitted"]
    del message["X-Auto-Response-Suppress"]
    send_back(hitl, message.as_bytes(), "reviews@hitl.test")
    assert watch.ending().words == "discarded: automatic: our own mail"


def test_our_answers_sent_back_are_dropped(hitl: Hitl) -> None:
    request = asked(hitl)
    hitl.reply("approved", verdicts={"dmarc": "FAIL"})
    hitl.reply("approved", to=hitl.inbox[0])
    refusal, confirmation = hitl.inbox[1:]
    for mail in (refusal, confirmation):
        send_back(hitl, mail.message.as_bytes(), "reviews@hitl.test")
    assert discards(hitl) == ["automatic: Auto-Submitted: auto-replied"] * 2
    assert len(hitl.inbox) == 3
    assert request.outcome == "approved"
