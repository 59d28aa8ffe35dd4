"""The reply address in the envelope: what opens a request for an answer, and what no longer or never did."""

import string

import pytest

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import Hitl
from tests.support.receipts import INBOUND, JANE, OPTIONS, Watch, asked, audit_events, discards

APPROVED = b"From: Jane Doe <jane@example.org>\r\nSubject: Re: Review\r\n\r\napproved\r\n"
NOT_ISSUED = "reply address not issued by us to the assignee"


def answer(hitl: Hitl, *recipients: str, raw: bytes = APPROVED, mail_from: str = JANE) -> None:
    hitl.receive(raw, recipients=recipients, mail_from=mail_from)


def reply_to(hitl: Hitl, number: int = -1) -> str:
    """Return the reply address of a mail that was sent, by default of the last one."""
    address = hitl.inbox[number].reply_to
    assert address
    return address


def test_a_token_altered_at_any_character_opens_nothing(hitl: Hitl) -> None:
    request = asked(hitl)
    token = reply_to(hitl).partition("@")[0]
    for position, character in enumerate(token):
        alphabet = string.ascii_lowercase + "234567"
        other = alphabet[(alphabet.index(character) + 1 + position % 30) % 32]
        answer(hitl, f"{token[:position]}{other}{token[position + 1 :]}@{INBOUND}")
    assert discards(hitl) == [NOT_ISSUED] * len(token)
    assert request.status == "pending"
    assert len(hitl.inbox) == 1


@pytest.mark.parametrize("cut", [slice(-1), slice(1, None), slice(28), slice(0)])
def test_a_truncated_token_opens_nothing(hitl: Hitl, cut: slice) -> None:
    watch = Watch(hitl, asked(hitl))
    answer(hitl, f"{reply_to(hitl).partition('@')[0][cut]}@{INBOUND}")
    assert watch.ending().words == "discarded: no reply address"


def test_a_letter_that_only_folds_to_ascii_is_no_other_spelling(hitl: Hitl) -> None:
    while "k" not in reply_to(hitl) if hitl.inbox else True:
        request = asked(hitl)
    answer(hitl, reply_to(hitl).replace("k", "\u212a", 1))
    assert discards(hitl) == ["no reply address"]
    assert request.status == "pending"


def test_a_token_answers_its_own_request_only(hitl: Hitl) -> None:
    first, second = asked(hitl), asked(hitl)
    quoting_the_first = APPROVED.replace(b"Re: Review", f"Re: Review {first.id}".encode())
    answer(hitl, reply_to(hitl, 1), raw=quoting_the_first)
    assert (first.status, second.outcome) == ("pending", "approved")


def test_a_token_of_somebody_elses_request_is_of_no_use(hitl: Hitl) -> None:
    theirs = hitl.ask("Publish?", emit=OPTIONS, assigned_to_email="bob@example.org")
    answer(hitl, reply_to(hitl))
    assert theirs.status == "pending"
    assert [mail.to for mail in hitl.inbox] == ["bob@example.org", "bob@example.org"], "Jane is not written to"
    assert audit_events(hitl)[-2]["data"]["reason"] == "sender_mismatch"


def test_a_request_that_was_passed_on_leaves_old_tokens_useless(hitl: Hitl) -> None:
    request = asked(hitl)
    old = reply_to(hitl)
    hitl.bounce(request, JANE)
    assert hitl.inbox[-1].to == "creator@example.com"
    new = hitl.inbox[-1]
    answer(hitl, old)
    assert audit_events(hitl)[-2]["data"]["reason"] == "reassigned"
    answer(hitl, new.reply_to or "")
    assert request.status == "pending", "and Jane cannot use the new one"


def test_rotation_keeps_live_mails_good(hitl: Hitl) -> None:
    watch = Watch(hitl, asked(hitl))
    current().manage_signing_keys.rotate()
    answer(hitl, reply_to(hitl))
    assert watch.ending().words == "decided"


def test_a_retired_key_takes_its_tokens_with_it(hitl: Hitl) -> None:
    keys = current().manage_signing_keys
    second = keys.rotate()
    watch = Watch(hitl, asked(hitl))
    keys.rotate()
    keys.retire(second)
    answer(hitl, reply_to(hitl))
    assert watch.ending().words == f"discarded: {NOT_ISSUED}"


def test_one_second_past_expiry_is_too_late_and_a_fresh_mail_is_not(hitl: Hitl) -> None:
    request = asked(hitl)
    watch = Watch(hitl, request)
    hitl.advance(days=7, seconds=1)
    answer(hitl, reply_to(hitl, 0))
    assert watch.ending().words == "rejected: expired"
    assert reply_to(hitl) != reply_to(hitl, 0)
    answer(hitl, reply_to(hitl))
    assert request.outcome == "approved"


def test_a_strangers_mail_to_an_expired_address_gets_nobody_a_fresh_one(hitl: Hitl) -> None:
    request = asked(hitl)
    watch = Watch(hitl, request)
    hitl.advance(days=7, seconds=1)
    answer(hitl, reply_to(hitl, 0), raw=APPROVED.replace(b"jane@", b"mallory@"), mail_from="mallory@example.org")
    assert watch.ending().words == "rejected: sender_mismatch"
    answer(hitl, reply_to(hitl, 0))
    assert request.status == "pending", "the old address stays expired"


def test_two_tokens_answer_neither(hitl: Hitl) -> None:
    first, second = asked(hitl), asked(hitl)
    answer(hitl, reply_to(hitl, 0), reply_to(hitl, 1))
    assert discards(hitl) == ["several reply addresses"]
    assert (first.status, second.status) == ("pending", "pending")


def test_a_genuine_token_beside_an_altered_one_is_in_doubt_too(hitl: Hitl) -> None:
    watch = Watch(hitl, asked(hitl))
    token = reply_to(hitl).partition("@")[0]
    answer(hitl, reply_to(hitl), f"{'a' if token[0] != 'a' else 'b'}{token[1:]}@{INBOUND}")
    assert watch.ending().words == "discarded: several reply addresses"
