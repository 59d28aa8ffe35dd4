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


def test_a_receipt_is_kept_as_evidence_of_the_sender() -> None:
    read = receipt(" <jane@example.org> ", spf="fail", dkim="gray", dmarc="SOMETHING_NEW", spam="gray", virus="x")
    assert read.verdicts == {"spf": "FAIL", "dkim": "GRAY", "dmarc": "SOMETHING_NEW", "from": "jane@example.org"}
    assert (read.message_id, read.spam, read.virus) == ("o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1", "GRAY", "X")


@pytest.mark.parametrize("source", ["", "<>"])
def test_an_empty_envelope_sender_is_seen(source: str) -> None:
    assert receipt(source).null_sender


NO_LIST = "the notification has no list of recipients"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("mail",), None, "the notification has no object at 'mail'"),
        (("receipt",), "x", "the notification has no object at 'receipt'"),
        (("mail", "messageId"), "", "the notification has no text at 'messageId'"),
        (("mail", "source"), None, "the notification has no text at 'source'"),
        (("receipt", "recipients"), [], NO_LIST),
        (("receipt", "recipients"), "r-abc@reply.example.com", NO_LIST),
        (("receipt", "recipients"), ["a@example.com", 1], NO_LIST),
        (("receipt", "timestamp"), "yesterday", "RFC 3339"),
        (("receipt", "timestamp"), None, "the notification has no text at 'timestamp'"),
        (("receipt", "action"), None, "the notification has no object at 'action'"),
        (("receipt", "action"), {"type": "SNS"}, "the notification is not of an S3 action"),
        (("receipt", "action"), {}, "the notification has no text at 'type'"),
        (("receipt", "action", "bucketName"), None, "the notification has no text at 'bucketName'"),
        (("receipt", "action", "objectKey"), None, "the notification has no text at 'objectKey'"),
    ],
)
def test_a_notification_of_another_shape_is_refused_with_what_is_wrong(
    path: tuple[str, ...], value: object, problem: str
) -> None:
    notification = copy.deepcopy(NOTIFICATION)
    parent = notification
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    with pytest.raises(ValueError, match=rf"{problem}$" if "RFC" not in problem else problem):
        Receipt.from_notification(notification)


def test_a_verdict_that_is_missing_was_not_made() -> None:
    notification = copy.deepcopy(NOTIFICATION)
    del notification["receipt"]["dmarcVerdict"]
    notification["receipt"]["spfVerdict"] = {"status": 1}
    read = Receipt.from_notification(notification)
    assert (read.dmarc, read.spf) == ("PROCESSING_FAILED", "PROCESSING_FAILED")
    assert judge_sender(read, mail(), False) == Unproven("the DMARC check could not be made")


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


NO_POLICY = Unproven("example.org publishes no DMARC policy")
NOT_BY_SPF = Unproven("example.org publishes no DMARC policy and SPF does not prove the sender")
NOT_ONE = Disproven("the email does not have exactly one From header with exactly one address")


@pytest.mark.parametrize(
    ("verdicts", "strict", "why"),
    [
        ({"virus": "FAIL", "dmarc": "FAIL"}, False, Disproven("the virus check failed")),
        ({"spam": "FAIL", "dmarc": "FAIL"}, False, Disproven("the spam check failed")),
        (
            {"dmarc": "FAIL", "spam": "PROCESSING_FAILED"},
            False,
            Disproven("the email does not come from example.org (DMARC failed)"),
        ),
        ({"virus": "PROCESSING_FAILED"}, False, Unproven("the virus check could not be made")),
        ({"spam": "SOMETHING_NEW"}, False, Unproven("the spam check could not be made")),
        ({"virus": "GRAY"}, False, Proven("jane@example.org")),
        ({"dmarc": "SOMETHING_NEW"}, True, Unproven("the DMARC check could not be made")),
        ({"dmarc": "GRAY"}, True, NO_POLICY),
        ({"dmarc": "GRAY", "spf": "FAIL"}, False, NOT_BY_SPF),
    ],
)
def test_what_is_not_proven_says_why(verdicts: dict[str, str], strict: bool, why: object) -> None:
    assert judge_sender(receipt(**verdicts), mail(), strict) == why


@pytest.mark.parametrize(
    "source", ["jane@mail.example.org", "jane@evil.example", "", "@example.org", "x y@example.org"]
)
def test_without_a_policy_the_envelope_must_be_of_the_same_domain(source: str) -> None:
    assert isinstance(judge_sender(receipt(source, dmarc="GRAY"), mail(), False), Unproven)


def test_dkim_of_another_domain_proves_nothing() -> None:
    judged = judge_sender(receipt("x@evil.example", dmarc="GRAY", dkim="PASS"), mail(), False)
    assert isinstance(judged, Unproven)


def test_no_single_sender_is_no_sender() -> None:
    assert judge_sender(receipt(), mail("jane@example.org", "eve@evil.example"), False) == NOT_ONE
    # Nobody else's check counts for somebody who is not named.
    assert judge_sender(receipt(dmarc="FAIL"), mail("nobody"), False) == NOT_ONE


def test_without_a_policy_the_envelope_of_the_same_domain_proves_in_any_case() -> None:
    assert judge_sender(receipt("bounces@EXAMPLE.org", dmarc="GRAY"), mail(), False) == Proven("jane@example.org")


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
        "Jane\n\tDoe\r\n <jane@example.org>\r\n",
        " \t jane@example.org \t ",
        "x" * 981 + " <jane@example.org>",
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
        "x" * 982 + " <jane@example.org>",
        "\u2028jane@example.org",
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


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (("Auto-Submitted", "auto-replied (vacation)"), "Auto-Submitted: auto-replied"),
        (("AUTO-SUBMITTED", " Auto-Generated; x"), "Auto-Submitted: auto-generated"),
        (("Auto-Submitted", "auto-notified(x)"), "Auto-Submitted: auto-notified"),
        (("Auto-Submitted", ""), "Auto-Submitted: "),
        (("Auto-Submitted", "x" * 50), "Auto-Submitted: " + "x" * 40),
        (("Auto-Submitted", "no; owner=x"), None),
        (("Return-Path", "<>"), "empty Return-Path"),
        (("Return-Path", "<jane@example.org>"), None),
        (("Reply-To", "<>"), None),
        (("X-Precedence", "LIST (x)"), "Precedence: list"),
        (("Preference", "junk"), "Precedence: junk"),
        (("Subject", "bulk"), None),
        (("Mailing-List", ""), "mailing-list"),
        (("X-XARF", "plain"), "x-xarf"),
        (("X-Auto-Reply-From", "no"), "x-auto-reply-from"),
        (("X-Auto-Reply", "yes"), "x-auto-reply"),
        (("X-AutoSubmitted", "1"), "x-autosubmitted"),
        (("X-Autoreply", "false"), None),
        (("X-Autoreply", ""), None),
        (("Content-Class", "urn:content-classes:MDN"), "content-class"),
        (("Content-Class", "urn:content-classes:message"), None),
        (("X-Mailer", "My Vacation Tool"), "x-mailer"),
        (("X-Mailer", "x" * 192 + "vacation"), "x-mailer"),
        (("X-Mailer", "x" * 193 + "vacation"), None),
        (("From", "no-reply@example.org"), "sent by no-reply"),
        (("From", "Shop <Do_Not_Reply@example.org>"), "sent by do_not_reply"),
        (("From", "Reply <noreplying@example.org>"), None),
        (("From", "x" * 974 + " <noreply@example.org>"), "sent by noreply"),
        (("Sender", "noreply@example.org"), None),
    ],
)
def test_a_header_of_a_program_is_named_as_the_reason(header: tuple[str, str], reason: str | None) -> None:
    assert automatic_reason([("Subject", "Re: Review"), header], ["text/plain"], "Re: Review") == reason


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("multipart/report", "multipart/report"),
        ("message/global-delivery-status", "message/global-delivery-status"),
        ("message/feedback-report;x", "message/feedback-report"),
        ("message/rfc822", None),
        ("text/calendar;counter", "calendar reply"),
        ("text/calendar;request", None),
        ("text/calendar", None),
        ("text/plain;reply", None),
    ],
)
def test_a_part_of_a_program_is_named_as_the_reason(content_type: str, reason: str | None) -> None:
    assert automatic_reason([], ["text/plain", content_type], "") == reason


@pytest.mark.parametrize(
    ("subject", "is_automatic"),
    [
        ("Automatic reply: Review", True),
        ("*** Automatic\u00a0Reply ***", True),
        ("I\u2019m out of the office", True),
        ("R\u00c9PONSE AUTOMATIQUE : Review", True),
        ("Reponse automatique", True),
        ("Auto : Review", True),
        ("Absence : Review", True),
        ("Automatic replying machines", False),
        ("Re: Automatic reply", False),
        ("Abwesenheitsnotiz", True),
        ("Poissaoloni", True),
        ("Poissaanhan tulen", False),
        ("Read: Review", True),
        ("Read the review", False),
        ("\u81ea\u52d5\u8fd4\u4fe1\u306e\u304a\u77e5\u3089\u305b", True),
        ("-" * 185 + "automatic reply", True),
        ("-" * 186 + "automatic reply", False),
    ],
)
def test_a_subject_is_a_programs_by_how_it_begins(subject: str, is_automatic: bool) -> None:
    assert automatic_reason([], [], subject) == ("subject of an automatic reply" if is_automatic else None)
