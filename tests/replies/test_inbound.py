"""Who a mail is proven to come from, by the receipt alone."""

import copy
from typing import Any

import pytest

from flow_hitl.replies.automatic_mail import automatic_reason
from flow_hitl.replies.inbound_mail import (
    Disproven,
    InboundMail,
    Proven,
    Receipt,
    Unproven,
    judge_sender,
    single_mailbox,
)

NOTIFICATION: dict[str, Any] = {
    "notificationType": "Received",
    "mail": {
        "timestamp": "2026-01-14T12:00:00.123Z",
        "source": "jane@example.org",
        "messageId": "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
        "destination": ["somebody-else@example.com"],
    },
    "receipt": {
        "timestamp": "2026-01-14T12:00:00.123Z",
        "recipients": ["r-abc@reply.example.com"],
        "spamVerdict": {"status": "PASS"},
        "virusVerdict": {"status": "PASS"},
        "spfVerdict": {"status": "PASS"},
        "dkimVerdict": {"status": "PASS"},
        "dmarcVerdict": {"status": "PASS"},
        "action": {
            "type": "S3",
            "topicArn": "arn:aws:sns:eu-west-1:123456789012:receipts",
            "bucketName": "mail",
            "objectKeyPrefix": "inbound/",
            "objectKey": "inbound/o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
        },
    },
}


def receipt(source: str = "jane@example.org", **verdicts: str) -> Receipt:
    notification = copy.deepcopy(NOTIFICATION)
    notification["mail"]["source"] = source
    for name, status in verdicts.items():
        notification["receipt"][f"{name}Verdict"] = {"status": status}
    return Receipt.from_notification(notification)


def mail(*from_headers: str) -> InboundMail:
    headers = from_headers or ("Jane Doe <jane@example.org>",)
    return InboundMail(from_headers=headers, subject="", message_id="", automatic=None, text="approved", html=None)


def test_a_notification_is_read() -> None:
    read = receipt()
    assert read.recipients == ("r-abc@reply.example.com",)
    assert (read.mail_from, read.bucket, read.key) == (
        "jane@example.org",
        "mail",
        "inbound/o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
    )
    assert (read.spam, read.virus, read.spf, read.dkim, read.dmarc) == ("PASS",) * 5
    assert read.at.isoformat() == "2026-01-14T12:00:00.123000+00:00"
    assert not read.null_sender


@pytest.mark.parametrize("source", ["", "<>"])
def test_an_empty_envelope_sender_is_seen(source: str) -> None:
    assert receipt(source).null_sender


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("mail",), None),
        (("receipt",), "x"),
        (("mail", "messageId"), ""),
        (("mail", "source"), None),
        (("receipt", "recipients"), []),
        (("receipt", "recipients"), [1]),
        (("receipt", "timestamp"), "yesterday"),
        (("receipt", "action"), {"type": "SNS"}),
        (("receipt", "action", "bucketName"), None),
        (("receipt", "action", "objectKey"), None),
    ],
)
def test_a_notification_of_another_shape_is_refused(path: tuple[str, ...], value: object) -> None:
    notification = copy.deepcopy(NOTIFICATION)
    parent = notification
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    with pytest.raises(ValueError, match=r"notification|RFC 3339"):
        Receipt.from_notification(notification)


def test_a_verdict_that_is_missing_was_not_made() -> None:
    notification = copy.deepcopy(NOTIFICATION)
    del notification["receipt"]["dmarcVerdict"]
    read = Receipt.from_notification(notification)
    assert read.dmarc == "PROCESSING_FAILED"
    assert isinstance(judge_sender(read, mail(), False), Unproven)


@pytest.mark.parametrize(
    ("verdicts", "strict", "expected"),
    [
        ({}, False, Proven),
        ({"spf": "FAIL", "dkim": "FAIL"}, True, Proven),
        ({"dmarc": "FAIL"}, False, Disproven),
        ({"dmarc": "GRAY"}, False, Proven),
        ({"dmarc": "GRAY"}, True, Unproven),
        ({"dmarc": "GRAY", "spf": "GRAY"}, False, Unproven),
        ({"dmarc": "GRAY", "spf": "FAIL"}, False, Unproven),
        ({"dmarc": "PROCESSING_FAILED"}, False, Unproven),
        ({"dmarc": "SOMETHING_NEW"}, False, Unproven),
        ({"virus": "FAIL"}, False, Disproven),
        ({"spam": "FAIL"}, False, Disproven),
        ({"virus": "PROCESSING_FAILED"}, False, Unproven),
        ({"spam": "GRAY"}, False, Proven),
    ],
)
def test_the_verdicts_decide(verdicts: dict[str, str], strict: bool, expected: type) -> None:
    judged = judge_sender(receipt(**verdicts), mail(), strict)
    assert isinstance(judged, expected)
    if isinstance(judged, Proven):
        assert judged.address == "jane@example.org"


@pytest.mark.parametrize(
    "source", ["jane@mail.example.org", "jane@evil.example", "", "@example.org", "x y@example.org"]
)
def test_without_a_policy_the_envelope_must_be_of_the_same_domain(source: str) -> None:
    assert isinstance(judge_sender(receipt(source, dmarc="GRAY"), mail(), False), Unproven)


def test_dkim_of_another_domain_proves_nothing() -> None:
    judged = judge_sender(receipt("x@evil.example", dmarc="GRAY", dkim="PASS"), mail(), False)
    assert isinstance(judged, Unproven)


def test_no_single_sender_is_no_sender() -> None:
    assert isinstance(judge_sender(receipt(), mail("jane@example.org", "eve@evil.example"), False), Disproven)


@pytest.mark.parametrize(
    "header",
    [
        "jane@example.org",
        "<jane@example.org>",
        "Jane Doe <jane@example.org>",
        '"Doe, Jane (Editor)" <jane@example.org>',
        '"eve@evil.example" <jane@example.org>',
        "=?utf-8?q?J=C3=A4ne_=3Ceve=40evil.example=3E?= <jane@example.org>",
        "Jäne Doe <jane@example.org>",
        "Jane\r\n Doe <jane@example.org>",
    ],
)
def test_one_plain_mailbox(header: str) -> None:
    assert single_mailbox([header]) == "jane@example.org"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Jane Doe",
        "jane@example.org, eve@evil.example",
        "jane@example.org <eve@evil.example>",
        "eve@evil.example <jane@example.org>",
        "<jane@example.org> <eve@evil.example>",
        "<jane@example.org> eve@evil.example",
        "jane@example.org (eve)",
        "(eve@evil.example) jane@example.org",
        "jane@example.org)eve@evil.example",
        "jane(x)@example.org",
        "Friends: jane@example.org;",
        "<@evil.example:jane@example.org>",
        '"jane"@example.org',
        '"jane@example.org',
        "jane@[127.0.0.1]",
        "jane@ex\u0430mple.org",
        "Jane\0 <jane@example.org>",
        "Jane\rFrom: x <jane@example.org>",
        "Doe, Jane <jane@example.org>",
        "x" * 2_000 + " <jane@example.org>",
    ],
)
def test_anything_else_is_refused(header: str) -> None:
    assert single_mailbox([header]) is None


def test_two_from_headers_or_none_are_refused() -> None:
    assert single_mailbox([]) is None
    assert single_mailbox(["jane@example.org", "jane@example.org"]) is None


@pytest.mark.parametrize(
    ("headers", "content_types", "subject"),
    [
        ([("Auto-Submitted", "auto-replied (vacation)")], [], ""),
        ([("auto-submitted", "Auto-Generated")], [], ""),
        ([("Return-Path", " <> ")], [], ""),
        ([("Precedence", "bulk")], [], ""),
        ([("Precedence", "auto_reply")], [], ""),
        ([("X-Autoreply", "yes")], [], ""),
        ([("X-Autorespond", "x")], [], ""),
        ([("X-Failed-Recipients", "a@b.example")], [], ""),
        ([("X-Loop", "x")], [], ""),
        ([("List-Id", "<x.example>")], [], ""),
        ([("From", "Mail Delivery <MAILER-DAEMON@x.example>")], [], ""),
        ([], ["multipart/report", "text/plain"], ""),
        ([], ["multipart/mixed", "message/delivery-status"], ""),
        ([], ["multipart/alternative", "text/calendar;reply"], ""),
        ([], [], "Automatic reply: Review"),
        ([], [], "Out of Office Re: Review"),
        ([], [], "Automatische Antwort: Review"),
        ([], [], "Abwesenheitsnotiz: Review"),
        ([], [], "Réponse automatique : Review"),
        ([], [], "Respuesta automática: Review"),
        ([], [], "Resposta automática: Review"),
        ([], [], "Risposta automatica: Review"),
        ([], [], "Automatisch antwoord: Review"),
        ([], [], "Automatiskt svar: Review"),
        ([], [], "Autosvar: Review"),
        ([], [], "Automaattinen vastaus: Review"),
        ([], [], "Odpowiedź automatyczna: Review"),
        ([], [], "Automatická odpověď: Review"),
        ([], [], "Automatikus válasz: Review"),
        ([], [], "Автоматический ответ: Review"),
        ([], [], "自動返信: Review"),
        ([], [], "自动答复: Review"),
        ([], [], "자동 회신: Review"),
        ([], [], "Otomatik Yanıt: Review"),
        ([], [], "Undeliverable: Review"),
    ],
)
def test_automatic_mail_is_recognised(headers: list[tuple[str, str]], content_types: list[str], subject: str) -> None:
    assert automatic_reason(headers, content_types, subject)


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ([("Auto-Submitted", "no")], "Re: Review"),
        ([("X-Auto-Response-Suppress", "DR, OOF, AutoReply")], "AW: Review"),
        ([("Precedence", "normal")], "Re: Automatic reply texts for the shop"),
        ([("X-Autoreply", "no"), ("From", "Jane <jane@example.org>")], "Automation of the office"),
    ],
)
def test_what_a_person_sends_is_not_automatic(headers: list[tuple[str, str]], subject: str) -> None:
    assert automatic_reason(headers, ["multipart/alternative", "text/plain", "text/html"], subject) is None
