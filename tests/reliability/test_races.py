"""Two answers at once, in each pair of channels: the second is written between the first one's read and its write.

The order is forced, not left to threads: moto is not atomic under them. Real races run on the local stack.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from infra.local.hitl_fixture import START, Answer, AskedRequest, Hitl
from tests.support.asserts import EMIT, callback, sqs_records
from tests.support.aws_calls import Call, When, unsettled, watched
from tests.support.receiver import receiving

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
        assert other in answer.text
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
