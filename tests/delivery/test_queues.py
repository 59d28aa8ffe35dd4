"""Messages and deadlines, as SQS and Scheduler get them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from flow_hitl.audit.effects import Effect, EffectKind
from flow_hitl.bootstrap import current
from flow_hitl.delivery.queues import effect_message, read_effect
from flow_hitl.requests.store.deadlines import deadline_message, read_deadline
from infra.local.hitl_fixture import Hitl
from tests.support.examples import NOON, REQUEST_ID

SCHEDULES = {EffectKind.DEADLINE, EffectKind.SCHEDULE_REMINDER}


@pytest.mark.parametrize("kind", list(EffectKind))
def test_an_effect_survives_its_message(kind: EffectKind) -> None:
    for effect in (Effect(kind, REQUEST_ID, 7), Effect(kind, REQUEST_ID, 7, "ann@example.com")):
        assert read_effect(effect_message(effect)) == effect


def test_a_deadline_survives_its_message() -> None:
    assert read_deadline(deadline_message(REQUEST_ID)) == (REQUEST_ID, None)
    assert read_deadline(deadline_message(REQUEST_ID, NOON)) == (REQUEST_ID, NOON)


@pytest.mark.parametrize("body", ["", "x", "{}", "[]", '{"kind":"other","request_id":"x","event_seq":1}'])
def test_what_is_no_message_of_ours_is_an_error(body: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_effect(body)


def waiting(hitl: Hitl, name: str) -> list[dict[str, Any]]:
    """Return the messages of a queue with the delay that they were sent with."""
    from moto.sqs.models import sqs_backends

    queue = sqs_backends["123456789012"]["us-east-1"].queues[name]
    now = hitl.clock.now().timestamp() * 1000
    return [
        {**json.loads(message.body), "delay": max(0, message.delayed_until - now) / 1000} for message in queue._messages
    ]


@pytest.mark.parametrize(
    ("due_in", "delay"), [(-3600, 0), (0, 0), (0.2, 1), (1, 1), (59, 59), (60, 60)], ids=lambda value: f"{value}s"
)
def test_what_is_due_soon_goes_to_the_queue(hitl: Hitl, due_in: float, delay: int) -> None:
    deadlines = current().relay_event.deadlines
    deadlines.schedule(REQUEST_ID, NOON + timedelta(seconds=due_in), NOON)
    assert waiting(hitl, "deadline") == [{"request_id": REQUEST_ID, "delay": delay}]
    assert hitl._schedules() == []


def test_what_is_due_later_is_scheduled_once(hitl: Hitl) -> None:
    deadlines = current().relay_event.deadlines
    for _ in range(2):
        deadlines.schedule(REQUEST_ID, NOON + timedelta(seconds=61), NOON)
    (schedule,) = hitl._schedules()
    assert schedule["ScheduleExpression"] == "at(2026-01-14T12:01:01)"
    assert len(schedule["Name"]) <= 64
    assert json.loads(schedule["Target"]["Input"]) == {"request_id": REQUEST_ID}
    assert waiting(hitl, "deadline") == []


def test_each_reminder_has_a_schedule_of_its_own(hitl: Hitl) -> None:
    deadlines = current().relay_event.deadlines
    moments = [NOON + timedelta(minutes=minutes) for minutes in (10, 20)]
    for moment in (*moments, *moments):
        deadlines.schedule(REQUEST_ID, moment, NOON, reminder=True)
    schedules = hitl._schedules()
    assert sorted(json.loads(schedule["Target"]["Input"])["reminder_at"] for schedule in schedules) == [
        "2026-01-14T12:10:00Z",
        "2026-01-14T12:20:00Z",
    ]
    assert all(len(schedule["Name"]) <= 64 for schedule in schedules)


def test_a_reminder_that_is_due_soon_goes_to_the_queue(hitl: Hitl) -> None:
    current().relay_event.deadlines.schedule(REQUEST_ID, NOON + timedelta(seconds=5), NOON, reminder=True)
    assert waiting(hitl, "deadline") == [{"request_id": REQUEST_ID, "reminder_at": "2026-01-14T12:00:05Z", "delay": 5}]


@pytest.mark.parametrize(("due_in", "delay"), [(-1, 0), (0.5, 1), (899, 899), (100_000, 900)])
def test_an_early_message_comes_again_within_a_quarter_of_an_hour(hitl: Hitl, due_in: float, delay: int) -> None:
    current().relay_event.deadlines.postpone(REQUEST_ID, NOON + timedelta(seconds=due_in), NOON)
    assert [message["delay"] for message in waiting(hitl, "deadline")] == [delay]


WORKED = ("email", "receipt", "resume", "webhook")


def test_each_effect_goes_to_the_queue_of_its_kind(hitl: Hitl) -> None:
    queue = current().relay_event.queue
    for kind in EffectKind:
        if kind not in SCHEDULES:
            queue.send(Effect(kind, REQUEST_ID, 1))
    kinds = {name: {message["kind"] for message in waiting(hitl, name)} for name in WORKED}
    assert (kinds["receipt"], kinds["resume"], kinds["webhook"]) == (
        {"receipt"},
        {"resume", "ask_flow"},
        {"webhook"},
    )
    assert kinds["email"] == {kind.value for kind in EffectKind} - {*WORKED, "ask_flow"} - SCHEDULES
