"""What somebody saw when they answered has a hash that they, and whoever audits them, can find again."""

import json
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.audit.chain import AuditEvent, EventKind, next_event, request_subject
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.platform.digests import digest
from flow_hitl.proof.verify_audit import Unusable, mail_hash, payload_hash
from flow_hitl.requests.evidence import Shown, ShownKind, mail_digest, mail_shown
from flow_hitl.requests.request import Request, request_shown
from flow_hitl.webhooks.webhook import body_of, payload
from tests.support import examples

ANN, BOB = "ann@example.com", "bob@example.com"
PRINTABLE = st.characters(blacklist_categories=("Cs", "Cc"), whitelist_characters="\n")


def sent(seq: int, to: str, kind: EventKind = EventKind.NOTIFICATION_SENT, **data: Any) -> AuditEvent:
    return next_event(
        subject=request_subject(examples.REQUEST_ID),
        seq=seq,
        prev_hash="0" * 64,
        event_id=f"e{seq}",
        kind=kind,
        at=examples.NOON,
        actor="flow-hitl",
        data={"to": to, "message_id": f"ses-{seq}", "sha256": str(seq) * 64, **data},
    )


TIMELINE = [
    sent(1, ANN),
    sent(2, BOB),
    sent(3, ANN, EventKind.REMINDER_SENT),
    sent(4, ANN, EventKind.CONFIRMATION_SENT),
    sent(5, BOB, EventKind.WEBHOOK_DELIVERED),
]


def test_a_reply_answers_the_mail_that_it_names() -> None:
    shown = mail_shown(TIMELINE, ANN, ["<own@mail.example.com>", "<ses-1@email.amazonses.com>"])
    assert shown == Shown(ShownKind.MAIL, "1" * 64, "e1")


def test_of_several_named_it_is_the_latest() -> None:
    named = ["<ses-1@email.amazonses.com>", "<ses-3@email.amazonses.com>"]
    assert mail_shown(TIMELINE, ANN, named) == Shown(ShownKind.MAIL, "3" * 64, "e3")


@pytest.mark.parametrize("answers", [[], ["<ses-2@email.amazonses.com>"], ["<ses-10@email.amazonses.com>"]])
def test_one_that_names_none_of_theirs_answers_the_last_that_asked_them(answers: list[str]) -> None:
    assert mail_shown(TIMELINE, ANN.upper(), answers) == Shown(ShownKind.MAIL, "3" * 64, "e3")


def test_who_was_mailed_nothing_saw_nothing() -> None:
    assert mail_shown(TIMELINE, "carl@example.com", []) is None


def test_a_mail_from_before_mails_were_hashed_proves_nothing() -> None:
    event = sent(1, ANN)
    old = replace(event, data={"to": ANN, "message_id": "ses-1"})
    assert mail_shown([old], ANN, []) is None


@given(st.text(PRINTABLE, max_size=300), st.text(PRINTABLE, max_size=300), st.text(PRINTABLE, max_size=120))
def test_whoever_has_a_copy_of_the_mail_finds_its_hash(text: str, html: str, subject: str) -> None:
    one_line = " ".join(subject.split())
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "reviews@hitl.test", ANN, one_line
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    assert mail_hash(message.as_bytes()) == mail_digest(one_line, text, html)


def test_another_word_is_another_mail() -> None:
    mails = [("s", "t", "h"), ("s2", "t", "h"), ("s", "t2", "h"), ("s", "t", "h2"), ("t", "s", "h")]
    assert len({mail_digest(*mail) for mail in mails}) == len(mails)
    assert mail_digest("a  b", "t\r\n", "h\r\nh") == mail_digest("a b", "t", "h\nh\n")


REQUEST = Request(examples.head(), examples.CONTENT)


def test_whoever_has_the_webhooks_payload_finds_its_hash() -> None:
    body = body_of(payload(WebhookEvent.NEW_REQUEST, REQUEST, examples.deployment(), "https://hitl.test/x"))
    assert payload_hash(body) == digest(request_shown(REQUEST))
    # As another program may have kept it.
    assert payload_hash(json.dumps(json.loads(body), indent=2).encode()) == digest(request_shown(REQUEST))
    decided = examples.deployment()
    assert payload_hash(body_of(payload(WebhookEvent.RESPONSE_SUBMITTED, REQUEST, decided, "u"))) == payload_hash(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"request":{"content_url":"https://hitl.test"}}'])
def test_what_is_no_payload_is_said(body: bytes) -> None:
    with pytest.raises(Unusable):
        payload_hash(body)
