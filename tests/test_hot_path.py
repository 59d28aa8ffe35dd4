"""How many AWS calls each step costs: they decide speed and price, so a new one must be meant."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from infra.local.hitl_fixture.between import lambda_context
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import AwsCall, Call, When, around_calls, new_process, unsettled, watched
from tests.support.receiver import receiving
from tests.support.webhooks import hook

Step = Callable[[Hitl, AskedRequest], object]


def calls_of(hitl: Hitl, step: Step) -> list[str]:
    """Return the calls of a step on a warm function: made once before with another request."""
    with unsettled(hitl):
        step(hitl, hitl.ask(emit=EMIT))
        request = hitl.ask(emit=EMIT)
        with watched(hitl) as calls:
            step(hitl, request)
    return [operation.partition(".")[2] for operation in calls.operations]


STEPS: dict[str, tuple[Step, list[str]]] = {
    "create": (
        lambda hitl, _: hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 60, "default_outcome": "approved"}),
        ["Query", "TransactWriteItems"],
    ),
    "create the same again": (
        lambda hitl, _: [hitl.ask(id="0192f0c1-7e11-7abc-8def-0123456789ab") for _ in range(2)],
        ["Query", "TransactWriteItems", "Query"] * 2,
    ),
    "get": (lambda hitl, request: hitl.api("GET", f"/v1/requests/{request.id}"), ["Query", "Query"]),
    "callback": (lambda hitl, request: callback(hitl, request), ["Query", "TransactWriteItems"]),
    "cancel": (
        lambda hitl, request: hitl.api("DELETE", f"/v1/requests/{request.id}"),
        ["Query", "Query", "TransactWriteItems"],
    ),
    "unauthorized": (lambda hitl, _: hitl.api("GET", "/v1/requests", key="hitl_x"), []),
    "altered callback": (lambda hitl, _: hitl.api("POST", "/v1/callbacks/x.y", {"feedback": "x"}, key=None), []),
}


@pytest.mark.parametrize("name", STEPS)
def test_calls_of_a_step(hitl: Hitl, name: str) -> None:
    step, expected = STEPS[name]
    assert calls_of(hitl, step) == expected


def test_a_cold_create_reads_the_signing_key_once(hitl: Hitl) -> None:
    new_process()
    with unsettled(hitl), watched(hitl) as calls:
        hitl.ask(emit=EMIT)
        hitl.ask(emit=EMIT)
    assert calls.operations.count("secrets-manager.GetSecretValue") == 1


def test_once_an_hour_a_process_notes_that_a_key_is_used(hitl: Hitl) -> None:
    new_process()
    with unsettled(hitl), watched(hitl) as calls:
        for _ in range(3):
            hitl.ask(emit=EMIT)
            hitl.clock.sleep(29 * 60)
    operations = [operation.removeprefix("dynamodb.") for operation in calls.operations if "dynamodb" in operation]
    create = ["Query", "TransactWriteItems"]
    noted = ["Query", "PutItem", "TransactWriteItems"]
    assert operations == [*noted, *create, *create]
    hitl.clock.sleep(60 * 60)
    with unsettled(hitl), watched(hitl) as calls:
        hitl.ask(emit=EMIT)
    assert calls.operations == [f"dynamodb.{operation}" for operation in noted]


def test_a_thousand_rules_cost_no_call_more(hitl: Hitl) -> None:
    rule = {"match": {"method_name": "approve_*"}, "assign_to_email": "a@example.com"}
    hitl.configure(rules=[{**rule, "name": f"rule {number}"} for number in range(1000)])
    assert calls_of(hitl, STEPS["create"][0]) == STEPS["create"][1]


def test_big_contents_cost_one_call_more(hitl: Hitl) -> None:
    def step(hitl: Hitl, _: AskedRequest) -> None:
        hitl.ask(emit=EMIT, output="x" * 100_000)

    assert calls_of(hitl, step) == ["Query", "PutObject", "TransactWriteItems"]


def test_what_intake_reads_does_not_grow(hitl: Hitl) -> None:
    """The configuration and the usage of this day: none of the days before, no webhooks, no members."""
    for _ in range(8):
        hitl.ask(emit=EMIT)
        hitl.advance(days=1)
    hook(hitl, "https://hooks.example.com/")
    hitl.ask(emit=EMIT)
    read: list[int] = []

    def look(_: AwsCall, make: Callable[[], Any]) -> Any:
        answer = make()
        read.append(answer["ScannedCount"])
        return answer

    with unsettled(hitl), around_calls(look, "dynamodb.Query"):
        hitl.ask(emit=EMIT)
    assert read == [2]


def test_the_whole_way_of_a_review(hitl: Hitl) -> None:
    with receiving() as flow:
        hitl.ask(emit=EMIT)
        hitl.reply("approved")
        with watched(hitl) as calls:
            hitl.ask(emit=EMIT, resume_url=flow.url)
            hitl.reply("approved")
    by_function: dict[str, int] = {}
    for call in calls.begun:
        by_function[call.function] = by_function.get(call.function, 0) + 1
    assert by_function == {"intake": 2, "relay": 4, "send_email": 8, "inbound_mail": 4, "resume_flow": 3}


def test_the_stream_calls_nobody_for_what_nothing_follows_from(hitl: Hitl) -> None:
    find, called = hitl._function, Counter[str]()

    def function(name: str) -> Callable[[Any, Any], Any]:
        called[name] += 1
        return find(name)

    with receiving() as flow, patch.object(hitl, "_function", function):
        hitl.ask(emit=EMIT, resume_url=flow.url)
        hitl.reply("approved")
        assert called == {"intake": 1, "relay": 2, "send_email": 2, "inbound_mail": 1, "resume_flow": 1}
        hitl.configure(settings={"email_notifications": False})
        called.clear()
        callback(hitl, hitl.ask(emit=EMIT, resume_url=flow.url))
    assert called == {"intake": 1, "respond": 1, "relay": 2, "resume_flow": 1}


def test_two_calls_come_between_a_resumptions_message_and_its_flow(hitl: Hitl) -> None:
    with receiving() as flow:
        callback(hitl, hitl.ask(emit=EMIT, resume_url=flow.url))
        before: list[str] = []

        def at_call(call: Call, when: When) -> None:
            if when == "before" and call.function == "resume_flow" and len(flow.received) == 1:
                before.append(call.operation)

        with watched(hitl, at_call):
            callback(hitl, hitl.ask(emit=EMIT, resume_url=flow.url))
        assert len(flow.received) == 2
    assert before == ["dynamodb.UpdateItem", "dynamodb.BatchGetItem"], "the claim, and all that the flow is told by"


def test_an_answer_costs_one_read_where_no_webhook_wants_to_know(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    with watched(hitl) as calls:
        callback(hitl, request)
    after = [(call.function, call.operation) for call in calls.begun if call.function != "respond"]
    assert after == [("relay", "dynamodb.GetItem")]


def test_a_mail_costs_one_read_of_its_request(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    with watched(hitl) as calls:
        hitl.ask(emit=EMIT)
    of_mail = [call.operation.partition(".")[2] for call in calls.begun if call.function == "send_email"]
    # The request, the event, and whether mail to them is of use; the claim; the mail itself, and that it was sent.
    assert of_mail == ["BatchGetItem", "UpdateItem", "SendEmail", "TransactWriteItems"]


def test_events_that_come_together_are_counted_together(hitl: Hitl) -> None:
    with unsettled(hitl):
        for _ in range(5):
            hitl.ask(emit=EMIT)
    with watched(hitl) as calls:
        hitl.advance(seconds=1)
    of_relay = Counter(call.operation for call in calls.begun if call.function == "relay")
    assert of_relay == {"sqs.SendMessage": 5, "dynamodb.UpdateItem": 1}


def test_what_a_webhook_adds(hitl: Hitl) -> None:
    with receiving() as app:
        hook(hitl, app.url)
        hitl.ask(emit=EMIT)
        with watched(hitl) as calls:
            hitl.ask(emit=EMIT)
    by_function = Counter(call.function for call in calls.begun)
    assert (by_function["intake"], by_function["relay"]) == (2, 3), "the mail's message and the webhook's, and a count"
    of_webhook = [call.operation.partition(".")[2] for call in calls.begun if call.function == "send_webhook"]
    fan_out = ["GetItem", "UpdateItem", "Query", "PutItem", "SendMessage", "UpdateItem"]
    assert of_webhook[: len(fan_out)] == fan_out
    # Delivery, webhook, configuration, and request; the claim; then the result and the event that says it.
    assert of_webhook[len(fan_out) :] == ["BatchGetItem", "Decrypt", "UpdateItem", "TransactWriteItems"]


def test_an_event_without_effects_costs_the_relay_nothing(hitl: Hitl) -> None:
    from functions.relay import handler

    hitl.ask(emit=EMIT)
    items = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    image = next(item for item in items if item["kind"]["S"] == "notification_sent")
    record = {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"NewImage": image}}
    with watched(hitl) as calls:
        assert handler({"Records": [record]}, lambda_context("relay")) == {"batchItemFailures": []}
    assert calls.begun == []
