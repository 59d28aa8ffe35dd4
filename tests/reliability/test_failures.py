"""AWS refuses or does not answer: one failing record holds up no other, and a lost answer is found again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from flow_hitl.platform.json_client import Unanswered
from infra.local.hitl_fixture import Hitl
from infra.local.hitl_fixture.between import lambda_context
from tests.support.asserts import EMIT, NEW, callback, sqs_records
from tests.support.aws_calls import Call, When, around_sending, new_process, unsettled, watched


def refused(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)


def collision() -> ClientError:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
    return ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]


def test_a_record_that_cannot_be_relayed_holds_up_no_other(hitl: Hitl) -> None:
    with unsettled(hitl):
        requests = [hitl.ask(emit=EMIT) for _ in range(3)]
    failed: list[Call] = []

    def refuse(call: Call, when: When) -> None:
        if call.function == "relay" and when == "before" and len(failed) < 1:
            failed.append(call)
            raise refused("SendMessage")

    with watched(hitl, refuse):
        hitl.advance(seconds=1)
    assert len(failed) == 1
    assert [request.kinds for request in requests] == [["request_created", "notification_sent"]] * 3


def test_a_mail_that_cannot_be_sent_holds_up_no_other(hitl: Hitl) -> None:
    with unsettled(hitl):
        requests = [hitl.ask(emit=EMIT) for _ in range(3)]
    failed: list[Call] = []

    def refuse(call: Call, when: When) -> None:
        if call.operation == "sesv2.SendEmail" and when == "before" and len(failed) < 1:
            failed.append(call)
            raise refused("SendEmail")

    with watched(hitl, refuse):
        hitl.advance(seconds=1)
        assert len(hitl.inbox) == 2
        hitl.advance(minutes=10)
    assert [request.kinds for request in requests] == [["request_created", "notification_sent"]] * 3
    assert len(hitl.inbox) == 3


def test_one_bad_message_fails_alone(hitl: Hitl) -> None:
    from functions.send_email import handler

    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
    good = json.dumps({"kind": "notify", "request_id": request.id, "event_seq": 1})
    unknown = json.dumps({"kind": "notify", "request_id": "no-such-request", "event_seq": 1})
    result = handler({"Records": sqs_records("not json", good, '{"kind":"other"}', unknown)}, None)
    failures = [failure["itemIdentifier"] for failure in result["batchItemFailures"]]
    assert failures == ["message-0", "message-2", "message-3"]
    assert len(hitl.inbox) == 1


def test_a_mail_that_ses_refuses_for_good_is_on_the_timeline(hitl: Hitl) -> None:
    def refuse(call: Call, when: When) -> None:
        if call.operation == "sesv2.SendEmail" and when == "before":
            raise ClientError({"Error": {"Code": "BadRequestException", "Message": "no address"}}, "SendEmail")

    with watched(hitl, refuse):
        request = hitl.ask(emit=EMIT)
        hitl.advance(minutes=10)
    assert request.kinds == ["request_created", "notification_undelivered"]
    assert "BadRequestException" in str(request.timeline[1]["data"])


def test_a_mail_that_ses_may_accept_later_is_tried_again(hitl: Hitl) -> None:
    refusals = iter(range(3))

    def refuse(call: Call, when: When) -> None:
        if call.operation == "sesv2.SendEmail" and when == "before" and next(refusals, None) is not None:
            raise ClientError({"Error": {"Code": "MessageRejected", "Message": "not verified"}}, "SendEmail")

    with watched(hitl, refuse):
        request = hitl.ask(emit=EMIT)
        assert request.kinds == ["request_created"]
        hitl.advance(minutes=10)
    assert request.kinds == ["request_created", "notification_sent"]


@pytest.mark.parametrize(
    ("function", "service", "timeout_hours", "then"),
    [
        ("send_email", "sesv2", 100, "notification_sent"),
        ("deadline", "dynamodb", 1, "response_submitted"),
        ("relay", "scheduler", 73, "response_submitted"),
        ("inbound_mail", "s3", 100, "response_submitted"),
    ],
)
def test_what_fails_for_three_days_is_done_within_an_hour_after(
    hitl: Hitl, function: str, service: str, timeout_hours: int, then: str
) -> None:
    failed: list[Call] = []

    def away(call: Call, when: When) -> None:
        if when == "before" and call.function == function and call.operation.startswith(service):
            failed.append(call)
            raise EndpointConnectionError(endpoint_url=f"https://{service}")

    with watched(hitl, away):
        request = hitl.ask(
            emit=EMIT, auto_response={"timeout_minutes": timeout_hours * 60, "default_outcome": "rejected"}
        )
        if function == "inbound_mail":
            hitl.reply("approved")
        hitl.advance(days=3)
        assert then not in request.kinds
    # For an auto-response, the sweep sends one more message, with pauses of its own.
    most = 2 * 90 if function == "deadline" else 90
    assert 70 < len(failed) < most, "growing pauses, not a loop"
    hitl.advance(minutes=61)
    assert request.kinds.count(then) == 1


def test_what_keeps_failing_is_counted_for_its_alarm(hitl: Hitl, capsys: pytest.CaptureFixture[str]) -> None:
    def away(call: Call, when: When) -> None:
        if when == "before" and call.operation == "sesv2.SendEmail":
            raise EndpointConnectionError(endpoint_url="https://ses")

    with watched(hitl, away):
        hitl.ask(emit=EMIT)
        hitl.advance(minutes=9)
        assert "MessageKeepsFailing" not in capsys.readouterr().out
        hitl.advance(minutes=60)
    assert "MessageKeepsFailing" in capsys.readouterr().out


def test_a_pause_that_cannot_be_set_is_the_queues_own(hitl: Hitl) -> None:
    def away(call: Call, when: When) -> None:
        if when == "before" and call.operation in ("sesv2.SendEmail", "sqs.ChangeMessageVisibility"):
            raise EndpointConnectionError(endpoint_url="https://aws")

    with watched(hitl, away) as calls:
        hitl.ask(emit=EMIT)
        hitl.advance(seconds=170)
        assert calls.operations.count("sesv2.SendEmail") == 1
    hitl.advance(seconds=20)
    assert len(hitl.inbox) == 1


def test_what_is_no_new_event_has_no_effect(hitl: Hitl) -> None:
    from functions.relay import handler

    with unsettled(hitl):
        hitl.ask(emit=EMIT)
    image = hitl._clients["dynamodb"].scan(TableName="audit")["Items"][0]
    for change in ("MODIFY", "REMOVE"):
        record = {"eventSource": "aws:dynamodb", "eventName": change, "dynamodb": {"Keys": {}, "OldImage": image}}
        with watched(hitl) as calls:
            assert handler({"Records": [record]}, lambda_context("relay")) == {"batchItemFailures": []}
        assert calls.begun == []


@pytest.mark.parametrize("operation", ["GetItem", "Query", "TransactWriteItems"])
def test_a_dropped_connection_is_tried_again(hitl: Hitl, operation: str) -> None:
    """The SDK repeats the call; where the first had its effect, the second finds our own decision."""
    request = hitl.ask(emit=EMIT)
    dropped: list[str] = []

    def drop(name: str, _: bytes, send: Callable[[], Any]) -> Any:
        if not dropped and name == f"dynamodb.{operation}":
            dropped.append(name)
            raise Unanswered("EndpointConnectionError")
        return send()

    with around_sending(drop):
        assert callback(hitl, request).status == 200
        assert hitl.api("GET", f"/v1/requests/{request.id}").status == 200
    assert len(dropped) == 1
    assert request.kinds.count("response_submitted") == 1


def test_an_answer_whose_confirmation_was_lost_finds_itself(hitl: Hitl) -> None:
    """The write happened and its answer did not arrive: what follows is a conflict with ourselves."""
    request = hitl.ask(emit=EMIT)
    lost: list[Call] = []

    def lose(call: Call, when: When) -> None:
        if (
            call.function == "respond"
            and call.operation.endswith("TransactWriteItems")
            and when == "after"
            and not lost
        ):
            lost.append(call)
            reasons = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}, {"Code": "None"}]
            error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]

    with watched(hitl, lose):
        answer = callback(hitl, request)
    assert lost
    assert answer.status == 200
    assert request.kinds.count("response_submitted") == 1


def test_transactions_that_collide_are_tried_again(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    collided: list[Call] = []

    def collide(call: Call, when: When) -> None:
        if call.operation.endswith("TransactWriteItems") and when == "before" and len(collided) < 3:
            collided.append(call)
            raise collision()

    with watched(hitl, collide):
        assert callback(hitl, request).status == 200
    assert len(collided) == 3
    assert request.outcome == "approved"


def test_transactions_that_go_on_colliding_are_given_up_after_eight_tries(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)

    def collide(call: Call, when: When) -> None:
        if call.operation.endswith("TransactWriteItems") and when == "before":
            raise collision()

    with watched(hitl, collide) as calls:
        assert callback(hitl, request).status == 500
        assert calls.operations.count("dynamodb.TransactWriteItems") == 8
        assert hitl.api("POST", "/v1/requests", NEW).status == 500
    assert calls.operations.count("dynamodb.TransactWriteItems") == 16
    assert request.status == "pending"


@pytest.mark.parametrize("error", [refused("PutItem"), EndpointConnectionError(endpoint_url="https://dynamodb")])
def test_a_note_that_fails_costs_a_caller_nothing(
    hitl: Hitl, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """When a key was used last, who polls the feed, who waits: nice to know, and no more."""
    request = hitl.ask(emit=EMIT)

    def refuse(call: Call, when: When) -> None:
        if call.operation == "dynamodb.PutItem" and when == "before":
            raise error

    new_process()
    with watched(hitl, refuse) as calls:
        answers = [
            hitl.api("GET", f"/v1/requests/{request.id}?wait=1"),
            hitl.api("GET", "/v1/decisions"),
            hitl.api("POST", "/v1/requests", NEW),
        ]
    assert [answer.status for answer in answers] == [200, 200, 201]
    assert calls.operations.count("dynamodb.PutItem") >= 3
    assert caplog.messages.count("not noted") == calls.operations.count("dynamodb.PutItem")
    hitl.api("GET", f"/v1/requests/{request.id}")
    keys = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/api-keys").json["api_keys"]
    assert keys[0]["last_used_at"] is not None
