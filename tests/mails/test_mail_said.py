"""What a mail says beside its answer: who sent it for whom, headers that are not encoded, and what was too long."""

from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.replies.test_mail_replies import ASSIGNEE, discards
from tests.support.asserts import EMIT

SUBJECTS = [
    "Réponse automatique : Demande de validation",
    "Automatische Antwort: Bürozeiten",
    "Odpověď v nepřítomnosti",
    "Автоматический ответ: отпуск",
    "自動返信: 不在です",
    "自动回复: 休假",
    "자동 회신: 부재중",
    "Abwesenheitsnotiz: Größe",
]


@pytest.fixture
def asked(hitl: Hitl) -> AskedRequest:
    return hitl.ask("Publish this?", emit=EMIT)


def receive(hitl: Hitl, headers: bytes, body: bytes = b"approved") -> None:
    reply_to = hitl.inbox[0].reply_to or ""
    raw = b"From: " + ASSIGNEE.encode() + b"\r\n" + headers + b"\r\n" + body
    hitl.receive(raw, recipients=[reply_to], mail_from=ASSIGNEE)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_an_out_of_office_note_in_raw_utf8_decides_nothing(hitl: Hitl, asked: AskedRequest, subject: str) -> None:
    receive(hitl, f"Subject: {subject}\r\n".encode())
    assert (asked.status, discards(hitl)[0]) == ("pending", "automatic: subject of an automatic reply")


@pytest.mark.parametrize(
    ("subject", "charset"),
    [
        (SUBJECTS[0], "latin-1"),
        (SUBJECTS[1], "latin-1"),
        (SUBJECTS[2], "cp1250"),
        (SUBJECTS[3], "cp1251"),
        (SUBJECTS[3], "koi8-r"),
        (SUBJECTS[4], "cp932"),
        (SUBJECTS[5], "gb18030"),
        (SUBJECTS[6], "cp949"),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_nor_in_the_octets_of_another_charset(
    hitl: Hitl, asked: AskedRequest, subject: str, charset: str, is_named: bool
) -> None:
    kind = f"Content-Type: text/plain; charset={charset}\r\n" if is_named else ""
    receive(hitl, kind.encode() + b"Subject: " + subject.encode(charset) + b"\r\n")
    assert (asked.status, discards(hitl)[0]) == ("pending", "automatic: subject of an automatic reply")


def test_raw_and_encoded_words_beside_each_other_are_both_read(hitl: Hitl, asked: AskedRequest) -> None:
    receive(hitl, "Subject: Réponse =?utf-8?q?automatique?= : été\r\n".encode())
    assert asked.status == "pending"


@pytest.mark.parametrize(
    "header",
    [
        b"Subject: Re: Publish\xe9",
        b"Subject: \xff\xfe\x80",
        b"Subject: =?x-unknown?q?=E9?= \xe9",
        b"X-Note: \xe9\xe8",
        "To: Größe <x@reply.hitl.test>".encode("latin-1"),
        b'Content-Disposition: inline; x="\xe9"',
        b"Message-ID: <\xe9@example.com>",
        b"References: <\xe9@example.com>",
    ],
)
def test_octets_that_nobody_can_read_keep_no_answer_out(hitl: Hitl, asked: AskedRequest, header: bytes) -> None:
    receive(hitl, header + b"\r\n")
    assert asked.outcome == "approved"


@pytest.mark.parametrize("switch", ["Auto-Submitted: auto-repliéd", "Auto-Submitted: nö", "Precedence: bulk é"])
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_header_that_programs_write_counts_whatever_stands_in_it(
    hitl: Hitl, asked: AskedRequest, switch: str, charset: str
) -> None:
    receive(hitl, switch.encode(charset) + b"\r\n")
    assert asked.status == "pending"


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_file_whose_name_is_not_encoded_is_a_file(hitl: Hitl, asked: AskedRequest, charset: str) -> None:
    part = 'Content-Type: text/plain\r\nContent-Disposition: inline; filename="Größe.txt"\r\n'.encode(charset)
    body = b"--x\r\nContent-Type: text/plain\r\n\r\nrejected\r\n--x\r\n" + part + b"\r\napproved\r\n--x--\r\n"
    receive(hitl, b"Content-Type: multipart/mixed; boundary=x\r\n", body)
    assert (asked.outcome, asked.response["comment"]) == ("rejected", "")


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_senders_name_that_is_not_encoded_is_a_name(hitl: Hitl, asked: AskedRequest, charset: str) -> None:
    raw = f"From: René Müller <{ASSIGNEE}>\r\n\r\napproved".encode(charset)
    hitl.receive(raw, recipients=[hitl.inbox[0].reply_to or ""], mail_from=ASSIGNEE)
    assert asked.outcome == "approved"


def decided(request: AskedRequest) -> dict[str, Any]:
    data: dict[str, Any] = next(event for event in request.timeline if event["kind"] == "response_submitted")["data"]
    return data


@pytest.mark.parametrize(
    ("sender", "named"),
    [
        ("assistant@example.com", "assistant@example.com"),
        ("The Assistant <assistant@example.com>", "assistant@example.com"),
        ("Zoë Möller <zoe@example.com>", "zoe@example.com"),
        ("nobody we could name", "nobody we could name"),
    ],
)
def test_a_reply_that_somebody_sent_for_the_responder_names_them(
    hitl: Hitl, asked: AskedRequest, sender: str, named: str
) -> None:
    receive(hitl, f"Sender: {sender}\r\n".encode())
    assert asked.response["responder"] == ASSIGNEE
    assert decided(asked)["verification"]["sent_by"] == named


@pytest.mark.parametrize("headers", [b"", f"Sender: {ASSIGNEE.upper()}\r\n".encode()])
def test_a_reply_that_the_responder_sent_names_nobody_else(hitl: Hitl, asked: AskedRequest, headers: bytes) -> None:
    receive(hitl, headers)
    assert "sent_by" not in decided(asked)["verification"]


@pytest.mark.parametrize("comment", ["line\n" * 700, "word " * 11_000])
def test_a_comment_that_was_cut_is_said_to_be(hitl: Hitl, asked: AskedRequest, comment: str) -> None:
    hitl.reply(f"approved\n{comment}")
    assert asked.outcome == "approved"
    assert decided(asked)["is_cut"]
    assert "its end was left out" in hitl.inbox[-1].text
    assert "its end was left out" in hitl.inbox[-1].html


@pytest.mark.parametrize("comment", ["", "line\n" * 400, "word " * 9_000])
def test_one_that_was_not_is_not(hitl: Hitl, asked: AskedRequest, comment: str) -> None:
    quote = "> quoted\n" * 800
    hitl.reply(f"approved\n{comment}\n\nOn Wed, 14 Jan 2026 at 12:00, Flow HITL <x@hitl.test> wrote:\n{quote}")
    assert "is_cut" not in decided(asked)
    assert "left out" not in hitl.inbox[-1].text
