"""The clock answers, once, when it is due, and never after a person."""

from datetime import timedelta

import pytest

from infra.local.hitl_fixture import START, AskedRequest, Hitl
from tests.support.asserts import EMIT, callback, sqs_records
from tests.support.aws_calls import unsettled


def ask(hitl: Hitl, minutes: int = 60, outcome: str = "rejected", emit: tuple[str, ...] = EMIT) -> AskedRequest:
    return hitl.ask(emit=emit, auto_response={"timeout_minutes": minutes, "default_outcome": outcome})


def fire(hitl: Hitl, request: AskedRequest) -> None:
    """Let the deadline function hear of the request, whatever the clock says."""
    from flow_hitl.requests.store.deadlines import deadline_message
    from functions.deadline import handler

    result = handler({"Records": sqs_records(deadline_message(request.id))}, None)
    assert result == {"batchItemFailures": []}


@pytest.mark.parametrize("minutes", [1, 2, 60, 20_000])
def test_it_answers_when_it_is_due_and_not_before(hitl: Hitl, minutes: int) -> None:
    request = ask(hitl, minutes)
    hitl.advance(minutes=minutes, seconds=-1)
    assert request.status == "pending"
    hitl.advance(seconds=1)
    assert request.outcome == "rejected"
    response = request.response
    assert (response["feedback"], response["comment"], response["responded_via"]) == ("rejected", "", "auto_response")
    assert (response["responder"], response["responder_verified"], response["source"]) == (None, False, None)
    assert response["response_seconds"] == minutes * 60


def test_the_schedule_is_gone_afterwards(hitl: Hitl) -> None:
    ask(hitl)
    assert len(hitl._schedules()) == 1
    hitl.advance(minutes=60)
    assert hitl._schedules() == []


def test_a_schedule_says_when_and_deletes_itself(hitl: Hitl) -> None:
    hitl.advance(seconds=0.5)
    ask(hitl)
    (schedule,) = hitl._schedules()
    assert schedule["ScheduleExpression"] == "at(2026-01-14T13:00:01)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["ActionAfterCompletion"] == "DELETE"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_what_is_due_within_a_minute_needs_no_schedule(hitl: Hitl) -> None:
    request = ask(hitl, 1)
    assert hitl._schedules() == []
    hitl.advance(minutes=1)
    assert request.outcome == "rejected"


def test_a_late_firing_still_answers(hitl: Hitl) -> None:
    with unsettled(hitl):
        request = ask(hitl)
    hitl.clock.turn_to(START + timedelta(days=3))
    fire(hitl, request)
    assert request.outcome == "rejected"


def test_an_early_firing_waits(hitl: Hitl) -> None:
    request = ask(hitl)
    for _ in range(3):
        fire(hitl, request)
    assert request.status == "pending"
    hitl.advance(minutes=59)
    assert request.status == "pending"
    hitl.advance(minutes=1)
    assert request.outcome == "rejected"
    assert request.kinds.count("response_submitted") == 1


def test_a_double_firing_answers_once(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.advance(minutes=60)
    for _ in range(3):
        fire(hitl, request)
    assert request.kinds.count("response_submitted") == 1


def test_a_person_was_faster(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("approved")
    hitl.advance(minutes=120)
    fire(hitl, request)
    assert (request.outcome, request.response["responded_via"]) == ("approved", "email")
    assert request.kinds.count("response_submitted") == 1


def test_until_it_has_answered_a_late_person_still_wins(hitl: Hitl) -> None:
    with unsettled(hitl):
        request = ask(hitl)
    hitl.clock.turn_to(START + timedelta(minutes=90))
    with unsettled(hitl):
        assert callback(hitl, request, "approved").status == 200
    fire(hitl, request)
    assert (request.outcome, request.response["responded_via"]) == ("approved", "api")


def test_a_person_in_between_its_two_looks_wins(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    from flow_hitl.requests.store.request_store import DynamoRequestStore

    request, reading = ask(hitl), DynamoRequestStore.reading
    hitl.clock.turn_to(START + timedelta(minutes=60))

    def beaten(self: DynamoRequestStore, request_id: str) -> object:
        monkeypatch.setattr(DynamoRequestStore, "reading", reading)
        with unsettled(hitl):
            callback(hitl, request, "approved")
        return reading(self, request_id)

    monkeypatch.setattr(DynamoRequestStore, "reading", beaten)
    fire(hitl, request)
    assert (request.outcome, request.response["responded_via"]) == ("approved", "api")


def test_a_cancelled_request_is_left_alone(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    hitl.advance(minutes=120)
    fire(hitl, request)
    assert (request.status, request.now()["response"]) == ("cancelled", None)


def test_a_request_without_one_is_left_alone(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.advance(days=3)
    fire(hitl, request)
    assert request.status == "pending"


def test_without_emit_options_its_words_are_the_feedback(hitl: Hitl) -> None:
    request = ask(hitl, outcome="go on without me", emit=())
    hitl.advance(minutes=60)
    assert (request.outcome, request.response["feedback"]) == (None, "go on without me")


def test_who_asks_again_still_gets_the_clocks_answer(hitl: Hitl) -> None:
    hitl.configure(settings={"free_text": "ask_again"})
    request = ask(hitl)
    hitl.advance(minutes=60)
    assert request.outcome == "rejected"


def test_a_person_after_the_clock_is_told(hitl: Hitl) -> None:
    request = ask(hitl)
    notification = hitl.inbox[-1]
    hitl.advance(minutes=60)
    hitl.reply("approved", to=notification)
    assert request.outcome == "rejected"
    assert request.kinds[-1] == "error_mail_sent"


def test_the_mail_says_what_will_happen(hitl: Hitl) -> None:
    ask(hitl)
    assert "14 Jan 2026, 13:00 UTC" in hitl.inbox[-1].text
    assert "rejected" in hitl.inbox[-1].text
