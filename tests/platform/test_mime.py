"""Mails as they go out: read back by parsers that know nothing of who wrote them."""

import base64
import email
import email.message
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mailparser  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_hitl.mails.mail_sender import SesMailSender
from flow_hitl.mails.ports import OutgoingMail
from flow_hitl.mails.send_sign_in_mail import SignInContext
from flow_hitl.platform.mime import encoded_body, write_mail
from flow_hitl.rendering.rendered import MailContext
from flow_hitl.rendering.rendering import render_email
from flow_hitl.requests.evidence import mail_digest
from tests.rendering.test_rendering import (
    CONFIRMATION,
    DECISION,
    HANDLED,
    NOTIFICATION,
    NOW,
    PASSED_ON,
    REJECTED,
    REMINDER,
)
from tests.support.slices import examples
from tests.support.work import calls_of

LAYER = Path(__file__).parents[2] / "layers/flow_hitl/python"
TOKEN = "aeaztyl3pyi7vpcn54asgrlhrgvaaafpm2gwhqxadk4tcmfrgrqw4zdf@hitl.a-rather-long-name.example.com"
ONCE = ["From", "To", "Subject", "Reply-To", "Auto-Submitted", "MIME-Version", "Content-Type"]
SENT = [*ONCE[:4], "X-Auto-Response-Suppress", "X-MS-Reactions", *ONCE[4:]]
_WORD = re.compile(r"=\?utf-8\?([qb])\?([!-~]*?)\?=", re.IGNORECASE)

INJECTED = "=?UTF-8?Q?x=0AReply-To:_other@example.com=0AX-A:?="
HOSTILE = [
    INJECTED,
    "=?utf-8?b?eApYLUE6IHk=?=",
    "=?UTF-8?Q?a?= =?UTF-8?Q?b?=",
    f"Flow {INJECTED} and more of it",
    "=?x",
    "?=",
    "=?UTF-8?Q?never closed",
    '"quoted" <a@b.example>, (comment); \\ [x]',
    "a: b\r\nBcc: all@evil.example",
    "x\n\n<b>body</b>",
    "tab\tand\x0bvt\x85nel\u2028ls\x00",
    "Freigabe Straßenbahnfahrscheine für Angehörige " * 3,
    "承認してください" * 20,
    "👩‍👩‍👧‍👦" * 30,
    "مراجعة الفاتورة قبل الدفع " * 6,
    "a" * 150,
    "a" * 68 + " b",
    "word " * 40,
    "two  spaces   and    more",
    "e\u0301" * 60,
    "\U0010ffff\ufffe\ud800",
    "=" * 80,
    "_?=_" * 20,
]


def _said(text: str) -> str:
    """Return what a header can say of a text: no line ends or other controls, no space around it."""
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text).strip(" ")


class Strict:
    """A mail read by the letter of RFC 5322 and 2047, without any library."""

    def __init__(self, raw: bytes) -> None:
        block, _, self.body = raw.partition(b"\r\n\r\n")
        self.lines = block.decode("ascii").split("\r\n")
        assert all("\n" not in line and "\r" not in line for line in self.lines)
        self.headers: list[tuple[str, str]] = []
        for line in self.lines:
            if line[:1] in (" ", "\t"):
                assert line.strip(), "an empty line of a header"
                name, value = self.headers.pop()
                self.headers.append((name, f"{value}{line}"))
            else:
                name, colon, value = line.partition(": ")
                assert colon
                assert value
                assert re.fullmatch(r"[A-Za-z-]+", name)
                self.headers.append((name, value))

    def __getitem__(self, name: str) -> str:
        (value,) = [value for each, value in self.headers if each.lower() == name.lower()]
        return value

    def text(self, name: str) -> str:
        """Return a header's text with its encoded words decoded, each of which must stand alone and be short."""
        value = self[name]
        for token in value.split(" "):
            if "=?" in token:
                assert _WORD.fullmatch(token), token
                assert len(token) <= 75, token
        return _WORD.sub(_decoded, re.sub(r"(\?=) (?==\?)", r"\1", value))


def _decoded(word: re.Match[str]) -> str:
    if word[1].lower() == "b":
        return base64.b64decode(word[2], validate=True).decode("utf-8")
    octets = re.sub(rb"=([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), word[2].replace("_", " ").encode())
    return octets.decode("utf-8")


def _written(**given: Any) -> bytes:
    mail = {
        "sender": "reviews@example.com",
        "sender_name": "Flow HITL",
        "to": "jane@example.com",
        "subject": "Fit to print?",
        "text": "text\n",
        "html": "<p>html</p>\n",
        "reply_to": TOKEN,
        "headers": {"Auto-Submitted": "auto-generated"},
    }
    return write_mail(**(mail | given))


def _assert_sound(raw: bytes, once: list[str] = ONCE) -> Strict:
    mail = Strict(raw)
    assert [name for name, _ in mail.headers] == once
    for line in mail.lines:
        assert len(line) <= 78 or line == f"Reply-To: {TOKEN}", line
    assert f"Reply-To: {TOKEN}" in mail.lines
    return mail


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_caller_names_stays_text_in_a_subject_and_a_name(text: str) -> None:
    raw = _written(subject=text, sender_name=text)

    mail = _assert_sound(raw)
    assert mail.text("Subject") == _said(text)
    assert mail["From"].endswith("<reviews@example.com>")
    assert mail.text("From").removesuffix("<reviews@example.com>").rstrip() == _said(text)
    assert dict(mailparser.parse_from_bytes(raw).reply_to) == {"": TOKEN}


@pytest.mark.exhaustive
@given(st.text(max_size=200))
@settings(max_examples=examples(400), deadline=None)
def test_any_text_stays_text(text: str) -> None:
    mail = _assert_sound(_written(subject=f"x{text}x", sender_name=f"x{text}x"))

    assert mail.text("Subject") == _said(f"x{text}x")
    assert mail.text("From") == f"{_said(f'x{text}x')} <reviews@example.com>"


PARTS = ["=?", "?=", "?q?", "?Q?", "?b?", "UTF-8", "=0A", "=0D=0A", "Reply-To: a@b.example", " ", "  ", ":", "ü", "\n"]
PARTS += ["\r\n ", "😀", "_", '"', "<", ">", ",", "x" * 40]


@pytest.mark.exhaustive
@given(st.lists(st.sampled_from(PARTS), max_size=20).map("".join))
@settings(max_examples=examples(400), deadline=None)
def test_text_made_of_pieces_of_headers_stays_text(text: str) -> None:
    mail = _assert_sound(_written(subject=f"x{text}", sender_name=text, headers={"Auto-Submitted": f"x{text}"}))

    assert mail.text("Subject") == mail.text("Auto-Submitted") == _said(f"x{text}")


CONTEXTS: dict[str, Any] = {
    "notify": lambda text: replace(
        NOTIFICATION, request=replace(NOTIFICATION.request, flow_name=text, method_name=text, deployment_name=text)
    ),
    "remind": lambda text: replace(
        REMINDER, request=replace(REMINDER.request, flow_name=text, method_name=text, deployment_name=text)
    ),
    "confirm": lambda text: replace(
        CONFIRMATION, flow_name=text, method_name=text, decision=replace(CONFIRMATION.decision, outcome=text)
    ),
    "reject_reply": lambda text: replace(REJECTED, flow_name=text, method_name=text, quoted=text),
    "tell_handled": lambda text: replace(
        HANDLED, flow_name=text, method_name=text, decision=replace(DECISION, by=text)
    ),
    "confirm_delegation": lambda text: replace(PASSED_ON, flow_name=text, method_name=text, passed_on_to=text),
    "sign_in": lambda text: SignInContext(code="1234 5678", link=f"https://a.example/{text}", until=NOW),
}


class _Ses:
    """Takes mails as SES does."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self) -> None:
        self.raw = b""

    def send_email(self, *, Content: Any, **_others: Any) -> dict[str, str]:  # noqa: N803 - SES names it so
        self.raw = Content["Raw"]["Data"]
        return {"MessageId": "0102"}


def _sent(context: MailContext, follows: str | None = None) -> tuple[bytes, Any]:
    ses, rendered = _Ses(), render_email(context)
    SesMailSender(ses, "reviews@example.com").send(OutgoingMail("jane@example.com", rendered, {}, TOKEN, follows))
    return ses.raw, rendered


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", CONTEXTS)
@given(text=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=60)))
@settings(max_examples=examples(25), deadline=None)
def test_each_kind_of_mail_says_what_it_says_and_has_our_headers_alone(kind: str, text: str) -> None:
    raw, rendered = _sent(CONTEXTS[kind](text))

    assert _assert_sound(raw, SENT).text("Subject") == _said(rendered.subject)
    read = email.message_from_bytes(raw, policy=email.policy.default)
    bodies = [read.get_body((form,)) for form in ("plain", "html")]
    said = [body.get_content() for body in bodies if body is not None]
    # What was hashed when it was sent is what whoever has a copy of the mail can hash.
    assert mail_digest(rendered.subject, *said) == mail_digest(rendered.subject, rendered.text, rendered.html)


def test_a_mail_that_continues_a_thread_names_it_in_one_line() -> None:
    raw, _ = _sent(REMINDER, follows="0102018b2f7c1f3a-0b7e3c9a-6d35-4a8e-9a55-b1c7e6a3f3f1-000000")

    mail = Strict(raw)
    assert mail["In-Reply-To"] == mail["References"]
    assert mail["References"].endswith("-000000@eu-west-1.amazonses.com>")


@pytest.mark.parametrize(
    "address", ["", "a b@c.example", "a@b.example\r\nBcc: c@d.example", "ü@b.example", "a@b\x00.c"]
)
@pytest.mark.parametrize("field", ["sender", "to", "reply_to", "follows"])
def test_an_address_is_one_word_of_ascii(field: str, address: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        _written(**{field: address})


@pytest.mark.parametrize("name", ["", "X A", "X-A:", "X\r\nBcc", "ü"])
def test_a_header_that_could_be_another_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="header's name"):
        _written(headers={name: "x"})


@given(st.text(max_size=500).map(lambda text: re.sub("[\ud800-\udfff]", "", text)))
@settings(deadline=None)
def test_a_body_arrives_as_it_was_given_in_short_lines_of_ascii(text: str) -> None:
    raw = _written(text=text, html=f"{text}\n--=_flow-hitl--\nFrom x\n.\n")

    raw.decode("ascii")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in raw.split(b"\r\n"))
    parts = email.message_from_bytes(raw).get_payload()
    assert len(parts) == 2
    plain, html = (part.get_payload(decode=True).decode("utf-8") for part in parts)  # type: ignore[union-attr]
    assert plain.rstrip("\r\n") == re.sub("\r\n?|\n", "\r\n", text).rstrip("\r\n")
    assert html.endswith("--=_flow-hitl--\r\nFrom x\r\n.\r\n")


@pytest.mark.parametrize(
    ("text", "encoding"), [("A few words.\n", "quoted-printable"), ("مراجعة الفاتورة\n" * 9, "base64")]
)
def test_a_body_is_encoded_in_the_shorter_way(text: str, encoding: str) -> None:
    assert encoded_body(text)[0] == encoding


@pytest.mark.parametrize("text", HOSTILE)
def test_a_mail_is_what_the_standard_library_would_write(text: str) -> None:
    raw = _written(subject=text, sender_name=text, text=text, html=text * 3)
    as_written = email.policy.compat32.clone(linesep="\r\n", max_line_length=None)
    assert email.message_from_bytes(raw, policy=as_written).as_bytes() == raw


def test_writing_a_mail_is_little_work() -> None:
    rendered = render_email(NOTIFICATION)
    subject, html = "Fit to print? Please answer: review_article", rendered.html * 4

    def write() -> bytes:
        return _written(subject=subject, text=rendered.text, html=html)

    def by_the_library() -> bytes:
        mail = email.message.EmailMessage(policy=email.policy.SMTP)
        mail["Subject"], mail["From"], mail["To"] = subject, "Flow HITL <reviews@example.com>", "jane@example.com"
        mail.set_content(rendered.text)
        mail.add_alternative(html, subtype="html")
        return mail.as_bytes()

    assert calls_of(write) <= 150
    assert calls_of(by_the_library) > 20 * calls_of(write)


# Each supported Python ------------------------------------------------------------------------------------------

_WRITE_AND_READ = """
import base64, email, email.policy, json, sys
from email.header import decode_header, make_header
from flow_hitl.platform.mime import write_mail
told = []
for text in json.loads(sys.stdin.read()):
    raw = write_mail(sender="reviews@example.com", sender_name=text, to="jane@example.com", subject=text, text=text,
                     html=text, reply_to=TOKEN, headers={"Auto-Submitted": "auto-generated"})
    old = email.message_from_bytes(raw)
    new = email.message_from_bytes(raw, policy=email.policy.default)
    told.append({
        "raw": base64.b64encode(raw).decode(), "names": [old.keys(), new.keys()],
        "subject": str(make_header(decode_header(old["Subject"].replace("\\r\\n", "")))),
        "reply_to": [old["Reply-To"], new["Reply-To"]],
    })
print(json.dumps({"version": list(sys.version_info[:2]), "told": told}))
"""


def _pythons() -> Iterator[Any]:
    """Yield each Python of ours that is found here: on the path, among pyenv's, or named by FLOW_HITL_PYTHONS."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in (11, 12, 13, 14):
        named = [one for one in os.environ.get("FLOW_HITL_PYTHONS", "").split(os.pathsep) if f"3.{minor}" in one]
        found = [*named, *map(str, pyenv.glob(f"3.{minor}.*/bin/python"))]
        found += [path] if (path := shutil.which(f"python3.{minor}")) and "shims" not in path else []
        found += [sys.executable] if sys.version_info[1] == minor else []
        missing = pytest.mark.skip(reason=f"no Python 3.{minor} is installed here")
        yield pytest.param(minor, found[:1], id=f"3.{minor}", marks=[] if found else [missing])


@pytest.mark.parametrize(("minor", "command"), list(_pythons()))
def test_each_supported_python_writes_and_reads_text_as_text(minor: int, command: list[str]) -> None:
    done = subprocess.run(
        [*command, "-c", f"TOKEN = {TOKEN!r}\n{_WRITE_AND_READ}"],
        input=json.dumps(HOSTILE),
        env={**os.environ, "PYTHONPATH": str(LAYER), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)

    assert answer["version"] == [3, minor]
    for text, told in zip(HOSTILE, answer["told"], strict=True):
        mail = _assert_sound(base64.b64decode(told["raw"]))
        assert mail.text("Subject") == told["subject"] == _said(text)
        assert told["names"] == [ONCE, ONCE]
        assert told["reply_to"] == [TOKEN, TOKEN]
