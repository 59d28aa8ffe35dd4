"""Small things that hostile mails brought to light."""

import logging

import pytest

from flow_hitl.replies.inbound_mail import UnreadableMail
from flow_hitl.replies.mailbox import answer_text, parse_mail

HEAD = b"From: Jane Doe <jane@example.org>\r\n"


def test_words_of_a_mail_are_not_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        parse_mail(
            HEAD + b"Subject: =?utf-8?b?secret?=\r\nContent-Type: text/plain; charset=nowhere\r\n\r\nsecret \xff"
        )
    assert "secret" not in caplog.text
    assert not any(capfd.readouterr())


@pytest.mark.parametrize(
    "head",
    [
        b" folded\r\n" + HEAD,
        HEAD + b"none\r\n",
        HEAD + b": x\r\n",
        HEAD + b"From jane\r\nX: y\r\n",
        HEAD + b"from : eve@evil.example\r\n",
    ],
)
def test_where_headers_end_must_be_certain(head: bytes) -> None:
    with pytest.raises(UnreadableMail):
        parse_mail(head + b"\r\napproved")


@pytest.mark.parametrize(
    ("plain", "html", "answer"),
    [
        ("approved", "<p>approved</p>", "approved"),
        ("approved, but\nonly on Monday", "<p>approved, but only on Monday</p>", "approved, but only on Monday"),
        ("approved, but only on Monday", "<p>approved</p>", ""),
        ("approved", "<p>rejected</p>", ""),
        ("approved", "<blockquote type=cite>approved</blockquote>", ""),
        ("> approved", "<p>approved</p>", ""),
    ],
)
def test_text_and_html_must_say_the_same(plain: str, html: str, answer: str) -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n%b\r\n--b\r\nContent-Type: text/html\r\n\r\n%b\r\n--b--\r\n"
    )
    assert answer_text(parse_mail(HEAD + raw % (plain.encode(), html.encode()))) == answer
