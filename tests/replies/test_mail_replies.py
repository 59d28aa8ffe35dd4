"""Replies by mail, from SES's receipt to the mail that confirms or refuses: nothing unproven decides."""

from email.message import EmailMessage
from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl, Mail
from tests.support.asserts import EMIT, callback

ASSIGNEE = "creator@example.com"


@pytest.fixture
def asked(hitl: Hitl) -> AskedRequest:
    """A request that its assignee was mailed about."""
    return hitl.ask("Publish this?", emit=EMIT)


def discards(hitl: Hitl) -> list[str]:
    """Return why mails were discarded, as the operator can look it up."""
    rows = hitl._clients["dynamodb"].scan(TableName="requests")["Items"]
    return [row["reason"]["S"] for row in rows if row["pk"]["S"].startswith("discards#")]


def mail(reply_to: str, text: str = "approved", **headers: str) -> bytes:
    """Return a plain mail from the assignee."""
    message = EmailMessage()
    for name, value in {"From": ASSIGNEE, "To": reply_to, "Subject": "Re: review", **headers}.items():
        message[name] = value
    message.set_content(text)
    return message.as_bytes()


def new_mails(hitl: Hitl, since: int) -> list[Mail]:
    return hitl.inbox[since:]


def rejection(request: AskedRequest) -> dict[str, Any]:
    """Return what the last rejected reply's event says."""
    events = [event for event in request.timeline if event["kind"] == "reply_rejected"]
    data: dict[str, Any] = events[-1]["data"]
    return data


# --- what decides


def test_a_reply_decides_and_is_confirmed(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.advance(minutes=5)
    hitl.reply("Approved!\n\nLooks good to me.\n")
    response = asked.response
    assert (response["outcome"], response["feedback"], response["comment"]) == (
        "approved",
        "Approved!",
        "Looks good to me.",
    )
    assert (response["responded_via"], response["responder"], response["responder_verified"]) == (
        "email",
        ASSIGNEE,
        True,
    )
    assert response["response_seconds"] == 300
    assert [sent.to for sent in hitl.inbox] == [ASSIGNEE, ASSIGNEE]
    assert "approved" in hitl.inbox[-1].text.lower()
    assert asked.kinds == ["request_created", "notification_sent", "response_submitted", "confirmation_sent"]


def test_free_text_is_passed_on(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.reply("Make it shorter, please.")
    assert (asked.outcome, asked.response["feedback"]) == (None, "Make it shorter, please.")


@pytest.mark.parametrize("free_text", ["accept", "ask_again"])
def test_an_option_further_down_is_asked_about_and_not_taken(hitl: Hitl, free_text: str) -> None:
    request = hitl.ask(emit=EMIT, free_text=free_text)
    hitl.reply("Thanks for the draft.\n\nRejected.\n\nThe price is wrong.")
    assert request.status == "pending"
    assert (rejection(request)["reason"], rejection(request)["meant"]) == ("not_an_option", "rejected")
    asked_again = hitl.inbox[-1]
    assert "Which line is your answer?" in asked_again.subject
    for body in (asked_again.text, asked_again.html):
        assert "Did you mean" in body
        assert body.index("rejected") < body.index("approved")
    hitl.reply("rejected", to=asked_again)
    assert request.outcome == "rejected"


def test_what_is_offered_can_be_pressed(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.reply("Thanks for the draft.\n\nRejected.")
    page = hitl.page("GET", hitl.review_url(hitl.inbox[-1]))
    assert page.status == 200
    hitl.page("POST", hitl.review_url(hitl.inbox[-1]), {"outcome": "rejected"})
    assert asked.outcome == "rejected"


def test_clients_that_write_addresses_in_capitals(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    raw = mail(reply_to).replace(ASSIGNEE.encode(), b'"The Creator" <CREATOR@Example.COM>')
    hitl.receive(raw, recipients=[reply_to.upper()], mail_from="Creator@EXAMPLE.com")
    assert asked.outcome == "approved"
    assert asked.response["responder"] == ASSIGNEE


def test_a_megabyte_of_words_still_decides(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.reply("rejected\n" + "word " * 30_000)
    assert asked.outcome == "rejected"


@pytest.mark.parametrize(
    ("verdicts", "strict"),
    [
        ({}, False),
        ({}, True),
        ({"spf": "FAIL"}, True),
        ({"dkim": "FAIL"}, True),
        ({"dmarc": "GRAY", "dkim": "GRAY"}, False),
        ({"spam": "GRAY"}, False),
    ],
)
def test_what_proves_the_sender(hitl: Hitl, verdicts: dict[str, str], strict: bool) -> None:
    hitl.configure(settings={"require_dmarc_pass": strict})
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved", verdicts=verdicts)
    assert request.outcome == "approved"


# --- what decides nothing, and who is told


@pytest.mark.parametrize(
    ("verdicts", "strict"),
    [
        ({"dmarc": "FAIL"}, False),
        ({"dmarc": "FAIL", "spf": "FAIL", "dkim": "FAIL"}, False),
        ({"dmarc": "PROCESSING_FAILED"}, False),
        ({"dmarc": "GRAY", "spf": "FAIL"}, False),
        ({"dmarc": "GRAY", "spf": "GRAY"}, False),
        ({"dmarc": "GRAY", "spf": "PROCESSING_FAILED"}, False),
        ({"dmarc": "GRAY"}, True),
        ({"dmarc": "A_NEW_WORD"}, False),
    ],
)
def test_an_unproven_sender_decides_nothing(hitl: Hitl, verdicts: dict[str, str], strict: bool) -> None:
    hitl.configure(settings={"require_dmarc_pass": strict})
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved", verdicts=verdicts)
    assert request.status == "pending"
    assert rejection(request)["reason"] == "sender_unproven"
    assert [sent.to for sent in new_mails(hitl, 1)] == [ASSIGNEE]
    assert "hitl.test/review/" in hitl.inbox[-1].text, "the page still works"


def test_spf_for_another_domain_proves_nothing(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    verdicts = {"dmarc": "GRAY", "spf": "PASS"}
    hitl.receive(mail(reply_to), recipients=[reply_to], mail_from="creator@evil.example", verdicts=verdicts)
    assert asked.status == "pending"


def test_headers_prove_nothing(hitl: Hitl, asked: AskedRequest) -> None:
    passes = "mx.example.com; dmarc=pass header.from=example.com; spf=pass; dkim=pass"
    headers = {"Authentication-Results": passes, "X-SES-Spam-Verdict": "PASS"}
    hitl.reply("approved", verdicts={"dmarc": "FAIL"}, headers=headers)
    assert asked.status == "pending"


def test_somebody_elses_reply_decides_nothing_and_they_are_not_written_to(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.reply("approved", sender="mallory@example.com")
    assert asked.status == "pending"
    assert rejection(asked)["reason"] == "sender_mismatch"
    assert [sent.to for sent in new_mails(hitl, 1)] == [ASSIGNEE]
    assert "mallory@example.com" in hitl.inbox[-1].text
    hitl.reply("approved")
    assert asked.outcome == "approved", "the assignee may answer the mail that tells them"


@pytest.mark.parametrize(
    "sender",
    [
        "creator@example.com, mallory@example.com",
        '"creator@example.com" <mallory@example.com>',
        "creator@example.com <mallory@example.com>",
        "creator@example.com)mallory@example.com",
        "mallory@example.com (creator@example.com)",
        "group: creator@example.com;",
        "",
    ],
)
def test_a_from_header_that_can_be_read_in_two_ways_decides_nothing(
    hitl: Hitl, asked: AskedRequest, sender: str
) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    raw = mail(reply_to).replace(f"From: {ASSIGNEE}".encode(), f"From: {sender}".encode())
    hitl.receive(raw, recipients=[reply_to], mail_from="mallory@example.com")
    assert asked.status == "pending"
    assert {sent.to for sent in hitl.inbox} == {ASSIGNEE}


def test_two_from_headers_decide_nothing(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    raw = b"From: mallory@example.com\r\n" + mail(reply_to)
    hitl.receive(raw, recipients=[reply_to], mail_from="mallory@example.com")
    assert asked.status == "pending"


def test_a_reply_without_words_is_asked_again(hitl: Hitl, asked: AskedRequest) -> None:
    for text in ("", "\u200b\u200b", "\n\n"):
        before = len(hitl.inbox)
        hitl.reply(text, to=hitl.inbox[0])
        assert asked.status == "pending"
        assert rejection(asked)["reason"] == "no_answer_found"
        assert [sent.to for sent in new_mails(hitl, before)] == [ASSIGNEE]
    hitl.reply("approved")
    assert asked.outcome == "approved"


def test_who_asks_again_wants_one_of_the_options(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, free_text="ask_again")
    hitl.reply("perhaps tomorrow")
    assert request.status == "pending"
    assert rejection(request)["reason"] == "not_an_option"
    assert "perhaps tomorrow" in hitl.inbox[-1].text
    hitl.reply("Rejected.")
    assert request.outcome == "rejected"


def test_the_token_holds_for_seven_days(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.advance(days=7)
    late = hitl.ask(emit=EMIT)
    notification = hitl.inbox[0]
    hitl.advance(seconds=1)
    hitl.reply("approved", to=notification)
    assert asked.status == "pending"
    assert rejection(asked)["reason"] == "expired"
    assert hitl.inbox[-1].to == ASSIGNEE
    hitl.reply("approved", to=hitl.inbox[1])
    assert late.outcome == "approved"


def test_in_its_last_second_it_still_holds(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.advance(days=7)
    hitl.reply("approved")
    assert asked.outcome == "approved"


@pytest.mark.parametrize("how", ["callback", "cancel"])
def test_a_closed_request_takes_no_reply_and_says_so(hitl: Hitl, asked: AskedRequest, how: str) -> None:
    if how == "callback":
        callback(hitl, asked, "rejected")
    else:
        hitl.api("DELETE", f"/v1/requests/{asked.id}")
    hitl.reply("approved", to=hitl.inbox[0])
    assert asked.outcome == ("rejected" if how == "callback" else None)
    assert rejection(asked)["reason"] == ("already_responded" if how == "callback" else "cancelled")
    assert hitl.inbox[-1].to == ASSIGNEE
    assert hitl.inbox[-1].reply_to is None, "another reply would not help"


def test_changing_ones_mind_by_mail_is_too_late(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.reply("approved")
    hitl.reply("rejected", to=hitl.inbox[0])
    assert asked.outcome == "approved"
    assert rejection(asked)["reason"] == "already_responded"


def test_the_same_answer_by_mail_after_the_page_is_said_to_count(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.page("POST", hitl.review_url(hitl.inbox[0]), {"outcome": "approved"})
    hitl.reply("approved", to=hitl.inbox[0])
    assert rejection(asked)["own"] is True
    assert hitl.inbox[-1].subject.startswith("Your answer counts: ")
    assert "already answered" not in hitl.inbox[-1].text
    assert "Your answer counts" in hitl.inbox[-1].text


# --- the same mail again


def test_the_same_mail_again_does_nothing_new(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    for _ in range(3):
        hitl.receive(mail(reply_to), recipients=[reply_to], mail_from=ASSIGNEE, message_id="one")
    assert asked.kinds == ["request_created", "notification_sent", "response_submitted", "confirmation_sent"]
    assert len(hitl.inbox) == 2


def test_the_same_words_sent_twice_do_nothing_new(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    for message_id in ("one", "two"):
        hitl.receive(mail(reply_to), recipients=[reply_to], mail_from=ASSIGNEE, message_id=message_id)
    assert asked.kinds.count("response_submitted") == 1
    assert "reply_rejected" not in asked.kinds


def test_the_same_refused_mail_again_is_answered_once(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    verdicts = {"dmarc": "FAIL"}
    for _ in range(3):
        hitl.receive(mail(reply_to), recipients=[reply_to], mail_from=ASSIGNEE, message_id="one", verdicts=verdicts)
    assert asked.kinds.count("reply_rejected") == 1
    assert asked.kinds.count("error_mail_sent") == 1
    assert len(hitl.inbox) == 2


# --- what is dropped in silence, and can be looked up


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"Auto-Submitted": "auto-generated"},
        {"Precedence": "bulk"},
        {"X-Autoreply": "yes"},
        {"List-Id": "<list.example.com>"},
    ],
)
def test_automatic_mail_is_discarded(hitl: Hitl, asked: AskedRequest, headers: dict[str, str]) -> None:
    hitl.reply("approved", headers=headers)
    assert asked.kinds == ["request_created", "notification_sent"]
    assert len(hitl.inbox) == 1
    assert len(discards(hitl)) == 1
    assert "automatic" in discards(hitl)[0]


def test_a_bounce_is_discarded(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    for mail_from in ("", "<>"):
        hitl.receive(mail(reply_to), recipients=[reply_to], mail_from=mail_from)
    assert asked.kinds == ["request_created", "notification_sent"]
    assert len(discards(hitl)) == 2


@pytest.mark.parametrize("verdict", ["spam", "virus"])
def test_spam_and_viruses_are_not_answered(hitl: Hitl, asked: AskedRequest, verdict: str) -> None:
    hitl.reply("approved", verdicts={verdict: "FAIL"})
    assert asked.kinds == ["request_created", "notification_sent"]
    assert len(hitl.inbox) == 1
    assert len(discards(hitl)) == 1


def test_an_address_that_we_did_not_issue_is_discarded(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    token, _, domain = reply_to.partition("@")
    other = "a" if token[30] != "a" else "b"
    wrong = [
        f"nobody@{domain}",
        f"{'a' * 56}@{domain}",
        f"{token[:30]}{other}{token[31:]}@{domain}",
        f"{token[:-1]}@{domain}",
        f"{token}@elsewhere.example",
        f"{token}+tag@{domain}",
    ]
    for number, recipient in enumerate(wrong, 1):
        hitl.receive(mail(recipient), recipients=[recipient], mail_from=ASSIGNEE)
        assert len(discards(hitl)) == number, recipient
    assert asked.kinds == ["request_created", "notification_sent"]
    assert len(hitl.inbox) == 1


def test_a_mail_to_two_requests_answers_neither(hitl: Hitl, asked: AskedRequest) -> None:
    other = hitl.ask(emit=EMIT)
    recipients = [sent.reply_to or "" for sent in hitl.inbox]
    hitl.receive(mail(recipients[0]), recipients=recipients, mail_from=ASSIGNEE)
    assert (asked.status, other.status) == ("pending", "pending")


def test_the_recipient_is_the_envelopes_not_the_headers(hitl: Hitl, asked: AskedRequest) -> None:
    reply_to = hitl.inbox[-1].reply_to
    assert reply_to
    hitl.receive(mail(reply_to), recipients=["nobody@reply.hitl.test"], mail_from=ASSIGNEE)
    assert asked.status == "pending"
    hitl.receive(mail("undisclosed-recipients:;"), recipients=["a@b.example", reply_to], mail_from=ASSIGNEE)
    assert asked.outcome == "approved"


def test_ten_error_mails_a_day_and_no_more(hitl: Hitl, asked: AskedRequest) -> None:
    notification = hitl.inbox[0]
    for _ in range(12):
        hitl.reply("approved", to=notification, verdicts={"dmarc": "FAIL"})
    assert len(new_mails(hitl, 1)) == 10
    assert asked.kinds.count("reply_rejected") == 10
    assert len(discards(hitl)) == 2
    hitl.advance(days=1)
    hitl.reply("approved", to=notification, verdicts={"dmarc": "FAIL"})
    assert len(new_mails(hitl, 1)) == 11, "the next day counts anew"
    hitl.reply("approved", to=notification)
    assert asked.outcome == "approved", "who is proven may still answer"


# --- the mails themselves


def test_no_mail_of_ours_invites_an_automatic_answer(hitl: Hitl, asked: AskedRequest) -> None:
    hitl.reply("approved", sender="mallory@example.com")
    hitl.reply("approved", to=hitl.inbox[0])
    expected = ["auto-generated", "auto-replied", "auto-replied"]
    assert [sent.message["Auto-Submitted"] for sent in hitl.inbox] == expected
    assert {sent.message["X-Auto-Response-Suppress"] for sent in hitl.inbox} == {"All"}


def test_a_message_cannot_smuggle_headers_into_a_mail(hitl: Hitl) -> None:
    evil = "Hello\r\nBcc: victim@example.com\r\n\r\nbody"
    hitl.ask(evil, emit=EMIT, flow_name=evil, method_name="review\r\nBcc: victim@example.com")
    sent = hitl.inbox[-1].message
    assert sent["Bcc"] is None
    assert sent["To"] == ASSIGNEE
    assert len(sent.get_all("Subject", [])) == 1


def test_mails_can_be_switched_off(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = hitl.ask(emit=EMIT)
    assert hitl.inbox == []
    assert request.kinds == ["request_created"]
    assert callback(hitl, request).status == 200


def test_a_request_that_is_decided_before_its_mail_goes_out_is_not_mailed(hitl: Hitl) -> None:
    from tests.support.aws_calls import unsettled

    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
        callback(hitl, request)
    hitl.advance(seconds=1)
    assert hitl.inbox == []
    assert request.kinds == ["request_created", "response_submitted"]
