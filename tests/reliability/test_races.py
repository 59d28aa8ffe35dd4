"""Two who act at once on one request, in each pair of ways: the second acts between two AWS calls of the first.

The order is forced, not left to threads: moto is not atomic under them. Real races run on the local stack.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from infra.local.hitl_fixture import START, Answer, AskedRequest, Hitl, hitl_on_moto
from tests.support.asserts import EMIT, callback, sqs_records
from tests.support.aws_calls import Call, When, unsettled, watched
from tests.support.faults import wrongs
from tests.support.receiver import Receiver, receiving

Say = Callable[[Hitl, AskedRequest, str], Answer | None]


def by_api(hitl: Hitl, request: AskedRequest, outcome: str) -> Answer | None:
    return callback(hitl, request, outcome)


def by_page(hitl: Hitl, _request: AskedRequest, outcome: str) -> Answer | None:
    return hitl.page("POST", hitl.review_url(hitl.inbox[0]), {"outcome": outcome})


def by_mail(hitl: Hitl, _request: AskedRequest, outcome: str) -> Answer | None:
    hitl.reply(outcome, to=hitl.inbox[0])
    return None


def by_clock(hitl: Hitl, request: AskedRequest, _outcome: str) -> Answer | None:
    from flow_hitl.requests.store.deadlines import deadline_message

    assert hitl._deliver("deadline", sqs_records(deadline_message(request.id))) == []
    return None


CHANNELS: dict[str, tuple[Say, str, str]] = {
    "api": (by_api, "respond", "approved"),
    "dashboard": (by_page, "dashboard", "approved"),
    "email": (by_mail, "inbound_mail", "approved"),
    "auto_response": (by_clock, "deadline", "rejected"),
}
PAIRS = [(slow, fast) for slow in CHANNELS for fast in CHANNELS if (slow, fast) != ("auto_response", "auto_response")]


@pytest.mark.parametrize(("slow", "fast"), PAIRS)
def test_the_first_to_write_decides_and_the_other_is_told(hitl: Hitl, slow: str, fast: str) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    hitl.clock.turn_to(START + timedelta(minutes=60))
    say_slowly, function, outcome = CHANNELS[slow]
    say_fast, _, _ = CHANNELS[fast]
    other = "rejected" if outcome == "approved" else "approved"
    overtaken = False

    def overtake(call: Call, when: When) -> None:
        nonlocal overtaken
        writes = call.function == function and call.operation == "dynamodb.TransactWriteItems"
        if writes and when == "before" and not overtaken:
            overtaken = True
            say_fast(hitl, request, other)

    with unsettled(hitl), watched(hitl, overtake):
        answer = say_slowly(hitl, request, outcome)
    hitl.advance(minutes=10)
    assert overtaken
    now, kinds = request.now(), request.kinds
    assert now["response"]["outcome"] == other
    assert now["response"]["responded_via"] == fast
    assert kinds.count("response_submitted") == 1
    if slow == "api":
        assert answer is not None
        assert answer.status == 409
        assert answer.json["outcome"] == other
    if slow == "dashboard":
        assert answer is not None
        assert answer.status == 200
        assert other.capitalize() in answer.text
        assert "<form" not in answer.text
    assert ("reply_rejected" in kinds) is (slow == "email")
    chain = request.timeline
    assert [event["prev_hash"] for event in chain[1:]] == [event["hash"] for event in chain[:-1]]


@pytest.mark.parametrize("slow", ["api", "dashboard", "email", "auto_response"])
def test_an_answer_overtaken_by_something_harmless_still_decides(hitl: Hitl, slow: str) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    hitl.clock.turn_to(START + timedelta(minutes=60))
    say, function, outcome = CHANNELS[slow]
    times = 0

    def disturb(call: Call, when: When) -> None:
        nonlocal times
        writes = call.function == function and call.operation == "dynamodb.TransactWriteItems"
        if writes and when == "before" and times < 3:
            times += 1
            hitl.reply("x", to=hitl.inbox[0], verdicts={"dmarc": "FAIL"})

    if slow == "email":
        # A note by the function itself, so that each disturbance is not disturbed in turn.
        times = 2
    with unsettled(hitl), watched(hitl, disturb):
        say(hitl, request, outcome)
    hitl.advance(minutes=10)
    assert times == 3
    assert (request.outcome, request.response["responded_via"]) == (outcome, slow)
    assert request.kinds.count("response_submitted") == 1


def test_cancelling_and_answering(hitl: Hitl) -> None:
    cancelled, answered = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
    done = False

    def overtake(call: Call, when: When) -> None:
        nonlocal done
        if call.operation == "dynamodb.TransactWriteItems" and when == "before" and not done:
            done = True
            if call.function == "respond":
                hitl.api("DELETE", f"/v1/requests/{cancelled.id}")
            else:
                callback(hitl, answered)

    with unsettled(hitl), watched(hitl, overtake):
        assert callback(hitl, cancelled).status == 409
        done = False
        assert hitl.api("DELETE", f"/v1/requests/{answered.id}").status == 409
    assert (cancelled.status, answered.status) == ("cancelled", "responded")


def test_the_same_id_opened_twice_at_once(hitl: Hitl) -> None:
    own_id = "0192f0c1-7e11-7abc-8def-0123456789ab"
    overtaken = False

    def overtake(call: Call, when: When) -> None:
        nonlocal overtaken
        if call.operation == "dynamodb.TransactWriteItems" and when == "before" and not overtaken:
            overtaken = True
            hitl.ask(emit=EMIT, id=own_id)

    with unsettled(hitl), watched(hitl, overtake):
        request = hitl.ask(emit=EMIT, id=own_id)
    assert overtaken
    hitl.advance(seconds=1)
    assert request.kinds == ["request_created", "notification_sent"]
    assert len(hitl.inbox) == 1


def test_what_happens_while_a_mail_is_sent_is_not_undone(hitl: Hitl) -> None:
    """The worker notes the mail on a request that has moved on since it was read."""
    overtaken: list[AskedRequest] = []

    def overtake(call: Call, when: When) -> None:
        if call.operation == "sesv2.SendEmail" and when == "after" and not overtaken:
            overtaken.append(request)
            hitl.api("DELETE", f"/v1/requests/{request.id}")

    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
    with watched(hitl, overtake):
        hitl.advance(seconds=1)
    assert overtaken
    assert request.status == "cancelled"
    assert request.kinds == ["request_created", "request_cancelled", "notification_sent"]
    chain = request.timeline
    assert [event["prev_hash"] for event in chain[1:]] == [event["hash"] for event in chain[:-1]]


def test_what_a_flow_reports_while_it_is_called_stands(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, resume_url=flow.url)
        reported = False

        def report(call: Call, when: When) -> None:
            nonlocal reported
            notes = call.function == "resume_flow" and call.operation == "dynamodb.TransactWriteItems"
            if notes and when == "before" and not reported:
                reported = True
                hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": "resumed"})

        with watched(hitl, report):
            callback(hitl, request)
    assert reported
    assert request.now()["resume"] == {"status": "resumed", "attempts": 1, "last_status": 200}
    assert request.kinds[-2:] == ["resume_reported", "resume_attempted"]
    assert len(flow.received) == 1


# --- at every call

ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"
DUE = {"timeout_minutes": 60, "default_outcome": "rejected"}


@dataclass
class Both:
    """The request that two act on at once."""

    hitl: Hitl
    request: AskedRequest

    def by_mail(self, text: str, message_id: str) -> None:
        reply_to = self.hitl.inbox[0].reply_to
        assert reply_to
        raw = f"From: {ANN}\r\nTo: {reply_to}\r\nSubject: Re\r\n\r\n{text}\r\n".encode()
        self.hitl.receive(raw, recipients=[reply_to], mail_from=ANN, message_id=message_id)

    def by_page(self, **form: str) -> None:
        assert self.hitl.page("POST", self.hitl.review_url(self.hitl.inbox[0]), form).status < 500

    def by_api(self, method: str, path: str = "", body: Any = None) -> None:
        assert self.hitl.api(method, f"/v1/requests/{self.request.id}{path}", body).status < 500

    def by_callback(self) -> None:
        assert callback(self.hitl, self.request, "postponed").status < 500

    def by_clock(self) -> None:
        by_clock(self.hitl, self.request, "")


# Each of them says something else.
ACTS: dict[str, Callable[[Both], None]] = {
    "email": lambda both: both.by_mail("approved", "answer"),
    "page": lambda both: both.by_page(outcome="shortened"),
    "callback": Both.by_callback,
    "clock": Both.by_clock,
    "cancel": lambda both: both.by_api("DELETE"),
    "reassign": lambda both: both.by_api("POST", "/reassign", {"assigned_to_email": BOB}),
    "delegate by email": lambda both: both.by_mail(f"delegate: {CAT}", "delegation"),
    "delegate on the page": lambda both: both.by_page(delegate_to=CAT),
}


@pytest.mark.exhaustive(20, "first")
@pytest.mark.parametrize("second", ACTS)
@pytest.mark.parametrize("first", ACTS)
def test_whoever_acts_in_between_there_is_one_end_of_it(
    first: str, second: str, record_property: Callable[[str, object], None]
) -> None:
    with hitl_on_moto() as hitl, receiving() as flow:
        hitl.configure(settings={"allow_delegation": True})
        options = ["approved", "shortened", "postponed", "rejected"]
        request = hitl.ask(emit=options, assigned_to_email=ANN, resume_url=flow.url, auto_response=DUE)
        hitl.clock.turn_to(START + timedelta(minutes=60))
        as_it_was, number = hitl.checkpoint(), 0
        while interrupted(Both(hitl, request), first, second, number):
            hitl.advance(minutes=5)
            check_end(hitl, flow, request, f"{second} at call {number} of {first}")
            number += 1
            as_it_was()
            flow.received = []
    assert number >= 3
    record_property("tried: one act at a call of another", number)


def interrupted(both: Both, first: str, second: str, number: int) -> bool:
    """Let one act, and another before the AWS call of this number (from 0); tell whether there was such a call."""
    count, busy = 0, False

    def at_call(_call: Call, when: When) -> None:
        nonlocal count, busy
        if busy or when == "after":
            return
        if count == number:
            busy = True
            ACTS[second](both)
            busy = False
        count += 1

    with unsettled(both.hitl), watched(both.hitl, at_call):
        ACTS[first](both)
    return count > number


def check_end(hitl: Hitl, flow: Receiver, request: AskedRequest, where: str) -> None:
    now, timeline = request.now(), request.timeline
    kinds = [event["kind"] for event in timeline]
    decided, cancelled = kinds.count("response_submitted"), kinds.count("request_cancelled")
    assert decided + cancelled <= 1, where
    assert now["status"] == ("responded" if decided else "cancelled" if cancelled else "pending"), where
    assert len(flow.received) == decided, where
    if decided:
        (event,) = (one for one in timeline if one["kind"] == "response_submitted")
        assert event["data"]["outcome"] == now["response"]["outcome"], where
        told = json.loads(flow.received[0].body)["request"]["response"]
        assert told == now["response"], where
        assert now["resume"]["status"] == "delivered", where
    if now["status"] != "pending":
        after = kinds[kinds.index("response_submitted" if decided else "request_cancelled") :]
        assert "request_reassigned" not in after, where
    assert kinds.count("confirmation_sent") + kinds.count("error_mail_sent") <= 2, where
    # Whoever is asked gets one email that asks; nobody who would find it answered.
    mailed = [event["data"]["to"] for event in timeline if event["kind"] == "notification_sent"]
    asked = [event["data"]["assigned_to_email"] for event in timeline if "assigned_to_email" in event["data"]]
    assert not Counter(mailed) - Counter(asked), where
    assert now["status"] != "pending" or Counter(mailed) == Counter(asked), where
    assert not wrongs(hitl), where
