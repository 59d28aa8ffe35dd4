"""What rests in a dead-letter queue goes back by itself, later and later; a person can send all of it at once."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.delivery.dead_letters import DeadLetter
from flow_hitl.delivery.redrive_dead_letters import Redriven
from flow_hitl.delivery.retries import RESUME
from infra.local.hitl_fixture import START, Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import unsettled
from tests.support.receiver import receiving


def rest(hitl: Hitl, name: str, body: str, count: int = 1) -> None:
    url = current().settings.dead_letter_queue_url(name)
    for _ in range(count):
        hitl._clients["sqs"].send_message(QueueUrl=url, MessageBody=body)


def due(name: str) -> Redriven:
    return next(done for done in current().redrive_dead_letters.due() if done.queue == name)


def test_a_mail_that_was_given_up_goes_back_by_itself_after_an_hour(hitl: Hitl) -> None:
    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
    hitl._relayed.add((f"request/{request.id}", 1))
    hitl._clients["sqs"].purge_queue(QueueUrl=current().settings.queue_url("email"))
    rest(hitl, "email", json.dumps({"kind": "notify", "request_id": request.id, "event_seq": 1}))
    hitl.clock.sleep(59 * 60)
    assert due("email") == Redriven("email", 0, 1, START)
    hitl.clock.sleep(60)
    assert due("email") == Redriven("email", 1, 0, START)
    assert due("email") == Redriven("email", 0, 0, None)


def test_what_never_succeeds_goes_back_more_and_more_seldom_and_then_rests() -> None:
    def hours(moves: int) -> int | None:
        letter = DeadLetter("email", "", "", START, moves)
        return next((hour for hour in range(15 * 24) if letter.may_go(START + timedelta(hours=hour))), None)

    pauses = [hours(moves) for moves in range(18)]
    assert pauses == [1, 2, 4, 8, 16, *[24] * 12, None]


def test_a_message_says_how_often_it_has_gone_back(hitl: Hitl) -> None:
    rest(hitl, "webhook", "{}")
    queues = current().redrive_dead_letters.queues
    (letter,) = queues.take("webhook")
    queues.move(replace(letter, moves=3), counted=True)
    found = hitl._clients["sqs"].receive_message(
        QueueUrl=current().settings.queue_url("webhook"), MessageAttributeNames=["All"]
    )["Messages"]
    assert [message["MessageAttributes"]["moves"]["StringValue"] for message in found] == ["4"]
    assert not queues.take("webhook")


@pytest.mark.parametrize("name", ["schedules", "deadline"])
def test_a_deadline_that_was_given_up_is_kept(hitl: Hitl, name: str) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    scheduler = hitl._clients["scheduler"]
    scheduler.delete_schedule(GroupName="hitl", Name=f"deadline-{request.id}")
    message = json.dumps({"request_id": request.id})
    call = json.dumps({"MessageBody": message, "QueueUrl": current().settings.queue_url("deadline")})
    rest(hitl, name, call if name == "schedules" else message)
    hitl.advance(minutes=59)
    assert request.status == "pending"
    hitl.advance(minutes=10)
    assert request.response["responded_via"] == "auto_response"


def test_an_answer_that_was_given_up_is_tried_once_each_time_it_goes_back(hitl: Hitl) -> None:
    with receiving() as flow:
        flow.status = 500
        request = hitl.ask(emit=EMIT, resume_url=flow.url)
        callback(hitl, request)
        hitl.advance(days=3)
        assert request.now()["resume"]["status"] == "failed"
        tried = [event["at"] for event in request.timeline if event["kind"] == "resume_attempted"]
        at = [datetime.fromisoformat(moment) for moment in tried[RESUME.attempts - 1 :]]
        hours = [round((later - earlier) / timedelta(hours=1)) for earlier, later in pairwise(at)]
        assert hours == [1, 2, 4, 8, 16]
        flow.status = 200
        hitl.advance(days=1)
        assert request.now()["resume"]["status"] == "delivered"
        assert len(flow.received) == RESUME.attempts + len(hours) + 1


def test_a_run_has_an_end(hitl: Hitl) -> None:
    rest(hitl, "webhook", "{}", 320)
    hitl.clock.sleep(3600)
    assert due("webhook").moved == 300
    assert due("webhook").moved == 20
