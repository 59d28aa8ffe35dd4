"""A press on an emoji is not an answer: it decides nothing, and its sender is told once how to answer."""

from collections.abc import Mapping
from email.message import EmailMessage
from types import MappingProxyType

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.replies.test_mail_replies import discards, rejection
from tests.support.asserts import EMIT

JANE = "jane@example.org"
HEADER = "From: Flow HITL\nSent: Wednesday\nTo: Jane Doe\nSubject: Please review"
QUOTE = f"________________________________\n{HEADER}\n\napproved"


@pytest.fixture
def asked(hitl: Hitl) -> AskedRequest:
    return hitl.ask("Publish this?", emit=[*EMIT, "👍"], assigned_to_email=JANE)


def reaction(hitl: Hitl, text: str, headers: Mapping[str, str] = MappingProxyType({}), part: str = "") -> None:
    """Let a reaction to the first mail come in, with further headers and Gmail's part for one."""
    message = EmailMessage()
    reply_to = hitl.inbox[0].reply_to
    assert reply_to
    given = {"From": f"Jane Doe <{JANE}>", "To": reply_to, "Subject": "Re: Please review"}
    for name, value in {**given, **headers}.items():
        message[name] = value
    message.set_content(text)
    if part:
        message.add_alternative(part, subtype="vnd.google.email-reaction+json")
    hitl.receive(message.as_bytes(), recipients=[reply_to], mail_from=JANE)


GMAIL = "👍\n\nJane reacted via Gmail\n<https://www.google.com/gmail/about/?utm_campaign=emojireactionemail#app>\n"


def test_a_gmail_reaction_is_told_about_once_however_often_it_comes(hitl: Hitl, asked: AskedRequest) -> None:
    for _ in range(3):
        reaction(hitl, GMAIL, part='{"emoji": "👍", "version": 1}')
    assert asked.status == "pending"
    assert rejection(asked)["reason"] == "emoji_reaction"
    assert [mail.to for mail in hitl.inbox] == [JANE, JANE], "the notification, and one mail that says how to answer"
    assert "emoji" in hitl.inbox[-1].text
    assert set(discards(hitl)) == {"emoji reaction: text/vnd.google.email-reaction+json"}
    told = hitl.api("GET", f"/v1/requests/{asked.id}/diagnosis").text
    assert "it is an emoji reaction" in told
    assert "emoji reaction: text/vnd.google.email-reaction+json" in told
    hitl.reply("approved", to=hitl.inbox[-1])
    assert asked.outcome == "approved"


@pytest.mark.parametrize(
    "text",
    [
        f"[like]  Jane Doe reacted to your message:\n{QUOTE}",
        f"[Gefällt mir] Jane Doe hat auf Ihre Nachricht reagiert:\n{QUOTE}",
        f"[J’aime] Jane Doe a réagi à votre message :\n{QUOTE}",
        f"Jane Doe さんがあなたのメッセージにリアクションしました：\n{QUOTE}",
        f"[x] Jane Doe in a language that nobody here has heard of:\n{QUOTE}",
        f"[hjärta]\nJane Doe reagerade på ditt meddelande:\n{QUOTE}",
        "👍\n\nJane reacted via Gmail\n",
        GMAIL,
    ],
)
def test_what_a_client_writes_for_a_reaction_is_known_by_its_shape(hitl: Hitl, asked: AskedRequest, text: str) -> None:
    reaction(hitl, text)
    assert asked.status == "pending"
    assert rejection(asked)["reason"] == "emoji_reaction"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-MS-Exchange-Reaction": "like"},
        {"Content-Disposition": "reaction"},
        {"Subject": "Jane Doe hat auf Ihre Nachricht reagiert"},
        {"Subject": "👍 Jane Doe reacted to your message"},
    ],
)
def test_what_says_so_outside_of_the_text_is_believed(hitl: Hitl, asked: AskedRequest, headers: dict[str, str]) -> None:
    reply_to = hitl.inbox[0].reply_to or ""
    given = {"From": f"Jane Doe <{JANE}>", "To": reply_to, "Content-Type": "text/plain; charset=utf-8", **headers}
    raw = "".join(f"{name}: {value}\r\n" for name, value in given.items()) + "\r\n👍\r\n"
    hitl.receive(raw.encode(), recipients=[reply_to], mail_from=JANE)
    assert asked.status == "pending"
    assert rejection(asked)["reason"] == "emoji_reaction"


@pytest.mark.parametrize(
    ("text", "headers", "outcome"),
    [
        ("👍", {}, "👍"),
        ("approved\n\nJane Doe:", {}, "approved"),
        ("approved", {"X-MS-Reactions": "disallow"}, "approved"),
        ("Jane Doe reacted badly, so no.", {}, None),
        ("[1] is right:\nbut [2] is not", {}, None),
    ],
)
def test_words_that_a_person_wrote_are_no_reaction(
    hitl: Hitl, asked: AskedRequest, text: str, headers: dict[str, str], outcome: str | None
) -> None:
    reaction(hitl, text, headers)
    assert (asked.status, asked.outcome) == ("responded", outcome)


def test_nobody_is_told_of_a_reaction_that_is_not_proven_to_be_theirs_or_comes_too_late(
    hitl: Hitl, asked: AskedRequest
) -> None:
    reply_to = hitl.inbox[0].reply_to or ""
    raw = f"From: {JANE}\r\nContent-Disposition: reaction\r\n\r\n👍".encode()
    hitl.receive(raw, recipients=[reply_to], mail_from=JANE, verdicts={"dmarc": "FAIL"})
    hitl.receive(raw.replace(b"jane", b"bob"), recipients=[reply_to], mail_from="bob@example.org")
    hitl.reply("approved")
    mails = len(hitl.inbox)
    hitl.receive(raw, recipients=[reply_to], mail_from=JANE)
    assert discards(hitl).count("emoji reaction: reaction") >= 3
    assert (len(hitl.inbox), asked.outcome) == (mails, "approved")


def test_outlook_is_asked_to_offer_no_reactions(hitl: Hitl, asked: AskedRequest) -> None:
    assert hitl.inbox[0].message["X-MS-Reactions"] == "disallow"
