"""Nothing relies on one delivery: what an event's stream record would have led to happens all the same, once."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from flow_hitl.bootstrap import current
from flow_hitl.delivery.dead_letters import GOING_BACK
from flow_hitl.deployments.deployment import Permission
from flow_hitl.platform import aws
from flow_hitl.sweep.second_look import Looked
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, NEW, callback
from tests.support.aws_calls import Call, When, unsettled, watched
from tests.support.outages import agenda, losing_events, purge
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import hook

MAILED = ["request_created", "notification_sent"]
IN_AN_HOUR = {"timeout_minutes": 60, "default_outcome": "rejected"}


@pytest.fixture
def app() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_new_request_that_the_relay_missed_is_mailed_within_a_quarter_of_an_hour(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
    hitl.advance(minutes=9)
    assert hitl.inbox == []
    hitl.advance(minutes=6)
    assert [mail.to for mail in hitl.inbox] == ["creator@example.com"]
    hitl.advance(days=3)
    assert request.kinds == MAILED
    assert len(hitl.inbox) == 1


def test_its_auto_response_comes_at_its_time(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    hitl.advance(minutes=61)
    assert request.outcome == "rejected"
    assert request.response["responded_at"] == "2026-01-14T13:00:00Z"


def test_its_reminder_comes_at_its_time(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}], "sla_target_minutes": 120})
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
    hitl.advance(minutes=61)
    assert request.kinds == [*MAILED, "reminder_due", "reminder_sent"]
    assert request.timeline[2]["at"] == "2026-01-14T13:00:00Z"


def test_an_answer_that_the_relay_missed_reaches_its_flow_once(hitl: Hitl, app: Receiver) -> None:
    request = hitl.ask(emit=EMIT, resume_url=app.url)
    with losing_events(hitl):
        callback(hitl, request)
    assert app.received == []
    hitl.advance(minutes=15)
    assert len(app.received) == 1
    hitl.advance(days=3)
    assert request.now()["resume"]["status"] == "delivered"
    assert len(app.received) == 1


def test_a_question_and_its_answer_that_the_relay_missed_arrive_once(hitl: Hitl, app: Receiver) -> None:
    request = hitl.ask(emit=EMIT, resume_url=app.url, questions=True)
    with losing_events(hitl):
        hitl.api("POST", f"{urlsplit(request.callback_url).path}/questions", {"text": "Why?"}, key=None)
    hitl.advance(minutes=15)
    assert [json.loads(post.body)["event"] for post in app.received] == ["question_asked"]
    with losing_events(hitl):
        hitl.api("POST", f"/v1/requests/{request.id}/answers", {"text": "Because."})
    hitl.advance(days=3)
    assert len(app.received) == 1
    assert request.kinds[2:] == ["question_asked", "question_attempted", "question_answered", "answer_mail_sent"]


def test_a_reassignment_that_the_relay_missed_is_mailed_to_both(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    with losing_events(hitl):
        assert (
            hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "b@example.com"}).status
            == 200
        )
    hitl.advance(minutes=15)
    assert [mail.to for mail in hitl.inbox[1:]] == ["creator@example.com", "b@example.com"]
    hitl.advance(days=3)
    assert len(hitl.inbox) == 3


def test_webhooks_are_told_once_of_what_the_relay_missed(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, app.url, events=["new_request", "response_submitted"])
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
        callback(hitl, request)
    hitl.advance(days=3)
    assert [json.loads(post.body)["event"] for post in app.received] == ["new_request", "response_submitted"]
    assert request.kinds.count("webhook_delivered") == 2


def test_a_delivery_whose_message_was_lost_is_sent_once_and_only_where_it_was_due(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, f"{app.url}&first", events=["new_request"])
    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
    hitl._relay_new_events()
    hitl._work_queue("webhook")
    purge("webhook")
    hook(hitl, f"{app.url}&later", events=["new_request"])
    hitl.advance(minutes=9)
    assert app.received == []
    hitl.advance(minutes=6)
    assert [post.path.rpartition("&")[2] for post in app.received] == ["first"]
    hitl.advance(days=5)
    assert len(app.received) == 1
    assert request.kinds.count("webhook_delivered") == 1
    assert agenda() == []


def test_a_delivery_of_a_webhook_that_was_deleted_is_left_alone(hitl: Hitl, app: Receiver) -> None:
    webhook = hook(hitl, app.url, events=["new_request"])
    with unsettled(hitl):
        hitl.ask(emit=EMIT)
    hitl._relay_new_events()
    hitl._work_queue("webhook")
    purge("webhook")

    def no_keys(call: Call, when: When) -> None:
        if call.operation == "kms.Decrypt":
            raise EndpointConnectionError(endpoint_url="https://kms")

    with watched(hitl, no_keys):
        hitl.advance(minutes=15)
    assert len(agenda()) == 1
    assert webhook.call("DELETE").status == 204
    hitl.advance(minutes=60)
    assert app.received == []
    assert agenda() == []


def test_figures_count_what_the_relay_missed_once(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
        callback(hitl, request)
    hitl.advance(days=1)
    hitl.ask(emit=EMIT)
    for _ in range(2):
        assert figures_of(hitl) == (2, 1)
        hitl.advance(days=3)


def test_where_no_webhook_wants_to_know_nothing_is_handed_on(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    with watched(hitl) as calls:
        hitl.advance(minutes=20)
    assert not [call for call in calls.begun if call.operation == "sqs.SendMessage"]


def test_three_days_without_relay_and_sweep_are_made_up_for(hitl: Hitl) -> None:
    hitl.sweep()
    requests = []
    with losing_events(hitl):
        for _ in range(3):
            requests += [hitl.ask(emit=EMIT) for _ in range(3)]
            hitl.clock.sleep(timedelta(days=1).total_seconds())
    with losing_events(hitl):
        hitl.advance(seconds=1)
    hitl.sweep()
    assert [request.kinds for request in requests] == [MAILED] * 9
    assert len(hitl.inbox) == 9
    assert looked_until() == hitl.clock.now() - timedelta(minutes=10)


def test_a_run_does_as_much_as_it_has_time_for_and_the_next_goes_on(
    hitl: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_hitl.sweep.second_look._AT_ONCE", 2)
    monkeypatch.setattr("flow_hitl.sweep.run_sweep._MOST_EVENTS", 4)
    other = current().manage_deployments.create(name="Other", creator_email="other@example.com", organization_id=1)
    key = current().manage_deployments.issue_key(other.deployment_id, name="k", permissions=frozenset(Permission)).text
    with losing_events(hitl):
        ours = [hitl.ask(emit=EMIT) for _ in range(5)]
        for _ in range(3):
            assert hitl.api("POST", "/v1/requests", NEW, key=key).status == 201
    hitl.clock.sleep(3600)
    mailed = []
    for _ in range(5):
        hitl.sweep()
        mailed.append(len(hitl.inbox))
    assert mailed[0] < mailed[1] < mailed[2] == mailed[-1] == 8
    assert [request.kinds for request in ours] == [MAILED] * 5


def test_two_sweeps_at_once_do_what_one_does(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
    hitl.clock.sleep(3600)
    with unsettled(hitl):
        runs = [current().run_sweep(), current().run_sweep()]
        for both in zip(*runs, strict=True):
            assert both[0] == both[1]
    hitl.advance(days=1)
    assert request.kinds == MAILED
    assert len(hitl.inbox) == 1


def test_an_event_that_makes_no_sense_is_named_and_holds_up_no_other(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
        forged = stored_events()[-1] | {"subject": {"S": "request#forged"}, "data": {"S": "{}"}}
        aws.client("dynamodb").put_item(TableName="audit", Item=forged)
        hitl.advance(seconds=1)
    hitl.clock.sleep(3600)
    looked = [done for done in current().run_sweep() if isinstance(done, Looked)]
    assert [name for each in looked for name in each.senseless] == ["request#forged#1"]
    hitl.advance(seconds=1)
    assert request.kinds == MAILED


def test_a_sweep_that_fails_goes_on_from_where_it_was(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)

    def refuse(call: Call, when: When) -> None:
        if call.function == "sweep" and call.operation == "sqs.SendMessage" and when == "before":
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "down"}}, "SendMessage")

    with watched(hitl, refuse):
        hitl.advance(minutes=60)
    assert hitl.inbox == []
    hitl.advance(minutes=10)
    assert request.kinds == MAILED


def test_where_all_is_well_a_run_reads_and_moves_its_watermark(hitl: Hitl) -> None:
    hitl.sweep()
    hitl.ask(emit=EMIT)
    hitl.clock.sleep(900)
    assert calls_of_a_run(hitl) == {
        "dynamodb.GetItem": 1,
        "dynamodb.Query": 6,
        # The events: they also say that what followed from them is done.
        "dynamodb.BatchGetItem": 1,
        "dynamodb.PutItem": 1,
        "sqs.ReceiveMessage": len(GOING_BACK) + 1,
    }


def test_a_run_costs_the_same_however_much_is_stored(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=15)
    costs = []
    for stored in (10, 500):
        store_requests_of_the_day_before(stored)
        hitl.ask(emit=EMIT)
        hitl.clock.sleep(900)
        costs.append(calls_of_a_run(hitl))
    assert costs[0] == costs[1]


def figures_of(hitl: Hitl) -> tuple[int, int]:
    """Return how many requests of the only reviewer were created and answered, by the figures."""
    path = f"/v1/deployments/{hitl.deployment_id}/analytics?from=2026-01-01&to=2026-01-31&group_by=reviewer"
    (group,) = hitl.api("GET", path).json["groups"]
    return group["created"], group["responded"]


def calls_of_a_run(hitl: Hitl) -> Counter[str]:
    """Return what a run calls in AWS."""
    with watched(hitl) as calls:
        hitl.sweep()
    return Counter(call.operation for call in calls.begun if call.function == "sweep")


def looked_until() -> datetime:
    mark = current().run_sweep.marks.load()
    assert mark is not None
    return mark.looked_until


def stored_events() -> list[dict[str, Any]]:
    """Return the events of requests in DynamoDB's own form, oldest first."""
    found: list[dict[str, Any]] = aws.client("dynamodb").scan(TableName="audit")["Items"]
    return sorted(
        (one for one in found if one["subject"]["S"].startswith("request#")),
        key=lambda one: (one["at"]["S"], int(one["seq"]["N"])),
    )


def store_requests_of_the_day_before(number: int) -> None:
    """Put as many requests beside the first one, whose events are of the day before."""
    first = stored_events()[0]
    for count in range(number):
        subject = f"request#{number}-{count}"
        day = {
            "day_shard": {"S": f"2026-01-13#{count % 4}"},
            "day_key": {"S": f"{1:015d}#2026-01-13T12:00:00Z#{subject}#000001"},
        }
        aws.client("dynamodb").put_item(TableName="audit", Item=first | day | {"subject": {"S": subject}})
