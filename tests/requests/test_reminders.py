"""Reminders before the time is up: to whoever has the request, in the thread of its first mail."""

from typing import Any

import pytest

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import AskedRequest, Hitl, Mail
from tests.support.asserts import EMIT, callback, sqs_records

ANN, BOB = "ann@example.com", "bob@example.com"
TIMEOUT = {"timeout_minutes": 60, "default_outcome": "rejected"}


def ask(hitl: Hitl, *reminders: dict[str, Any], **fields: Any) -> AskedRequest:
    hitl.configure(settings={"reminders": list(reminders) or [{"minutes_before_timeout": 15}]})
    return hitl.ask("Publish?", emit=EMIT, assigned_to_email=ANN, **{"auto_response": TIMEOUT, **fields})


def written_since(hitl: Hitl, mails: int) -> list[Mail]:
    return hitl.inbox[mails:]


def test_a_reminder_comes_so_many_minutes_before_the_timeout(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.advance(minutes=44)
    assert len(hitl.inbox) == 1

    hitl.advance(minutes=1)

    (_, reminder) = hitl.inbox
    assert reminder.to == ANN
    assert "still waiting" in reminder.text
    assert "14 Jan 2026, 13:00 UTC" in reminder.text
    assert request.kinds[2:] == ["reminder_due", "reminder_sent"]
    assert request.timeline[3]["data"]["to"] == ANN


def test_it_can_be_answered_like_the_first_mail(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.advance(minutes=45)
    hitl.reply("approved\nat last")
    assert (request.outcome, request.response["comment"]) == ("approved", "at last")


def test_its_review_link_works(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.advance(minutes=45)
    assert hitl.page("POST", hitl.review_url(), {"outcome": "approved"}).status == 200
    assert request.outcome == "approved"


def test_all_of_them_stand_in_one_thread(hitl: Hitl) -> None:
    request = ask(hitl, {"minutes_before_timeout": 40}, {"minutes_before_timeout": 15})
    hitl.advance(minutes=50)

    first, *reminders = hitl.inbox
    (sent,) = [event for event in request.timeline if event["kind"] == "notification_sent"]
    assert len(reminders) == 2
    for reminder in reminders:
        assert reminder.subject == f"Re: {first.subject}"
        assert reminder.message["In-Reply-To"] == f"<{sent['data']['message_id']}@email.amazonses.com>"
        assert reminder.message["References"] == reminder.message["In-Reply-To"]


def test_a_long_subject_is_the_same_in_the_thread(hitl: Hitl) -> None:
    ask(hitl, flow_name="A flow with a very long name " * 8)
    hitl.advance(minutes=45)
    first, reminder = hitl.inbox
    assert reminder.subject == f"Re: {first.subject}"


def test_a_share_of_the_sla(hitl: Hitl) -> None:
    request = ask(hitl, {"share_of_sla": 0.5}, {"share_of_sla": 1}, auto_response=None, sla_target_minutes=240)
    hitl.advance(minutes=119)
    assert len(hitl.inbox) == 1
    hitl.advance(minutes=1)
    assert len(hitl.inbox) == 2
    assert "; due 14 Jan 2026, 16:00 UTC" in hitl.inbox[-1].text
    hitl.advance(days=3)
    assert request.kinds.count("reminder_sent") == 2


@pytest.mark.parametrize("channel", ["mail", "page", "api", "cancelled"])
def test_none_after_the_decision(hitl: Hitl, channel: str) -> None:
    request = ask(hitl)
    match channel:
        case "mail":
            hitl.reply("approved")
        case "page":
            hitl.page("POST", hitl.review_url(), {"outcome": "approved"})
        case "api":
            callback(hitl, request)
        case _:
            hitl.api("DELETE", f"/v1/requests/{request.id}")
    written = len(hitl.inbox)
    hitl.advance(days=1)
    assert written_since(hitl, written) == []
    assert "reminder_due" not in request.kinds


def test_after_a_reassignment_the_new_person_is_reminded_in_their_own_thread(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB})
    written = len(hitl.inbox)

    hitl.advance(minutes=45)

    (reminder,) = written_since(hitl, written)
    sent = [event["data"] for event in request.timeline if event["kind"] == "notification_sent"]
    assert reminder.to == BOB
    assert [data["to"] for data in sent] == [ANN, BOB]
    assert reminder.message["In-Reply-To"] == f"<{sent[1]['message_id']}@email.amazonses.com>"


def test_a_reminder_between_due_and_sent_follows_no_reassignment(hitl: Hitl) -> None:
    """The former person is left alone; the new one was asked this very moment."""
    from flow_hitl.audit.effects import Effect, EffectKind

    request = ask(hitl)
    hitl.advance(minutes=45)
    due = next(event["seq"] for event in request.timeline if event["kind"] == "reminder_due")
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB})
    written = len(hitl.inbox)
    current().send_mail(Effect(EffectKind.REMIND, request.id, due, "late"))
    assert written_since(hitl, written) == []


def test_delivered_twice_it_is_sent_once(hitl: Hitl) -> None:
    from flow_hitl.requests.store.deadlines import deadline_message

    request = ask(hitl)
    hitl.advance(minutes=45)
    hitl._deliver("deadline", sqs_records(deadline_message(request.id, hitl.clock.now())))
    hitl._settle()
    assert request.kinds.count("reminder_sent") == 1


def test_one_that_fires_early_waits(hitl: Hitl) -> None:
    from datetime import timedelta

    from flow_hitl.requests.store.deadlines import deadline_message

    request = ask(hitl)
    due_at = hitl.clock.now() + timedelta(minutes=45)
    hitl._deliver("deadline", sqs_records(deadline_message(request.id, due_at)))
    hitl.advance(minutes=44)
    assert "reminder_due" not in request.kinds
    hitl.advance(minutes=1)
    assert request.kinds.count("reminder_sent") == 1


def test_with_notifications_off_nobody_is_reminded(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = ask(hitl)
    hitl.advance(minutes=59)
    assert (hitl.inbox, request.kinds) == ([], ["request_created"])


def test_what_the_request_does_not_have_is_no_reminder(hitl: Hitl) -> None:
    request = ask(hitl, {"minutes_before_timeout": 15}, {"share_of_sla": 0.5}, auto_response=None)
    hitl.advance(days=7)
    assert request.kinds == ["request_created", "notification_sent"]


def test_a_reminder_later_than_the_token_brings_an_address_that_holds(hitl: Hitl) -> None:
    hitl.configure(settings={"reply_token_days": 1})
    request = ask(hitl, {"share_of_sla": 1}, auto_response=None, sla_target_minutes=3 * 24 * 60)
    hitl.advance(days=3)
    hitl.reply("approved")
    assert request.outcome == "approved"
