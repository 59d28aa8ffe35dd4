"""An email goes out once: what cannot be recorded is remembered, and what nobody can know is said."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.send_email import handler
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback, sqs_records
from tests.support.aws_calls import Call, When, unsettled, watched

MAILED = ["request_created", "notification_sent"]


def refused(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "InternalServerError", "Message": "down"}}, operation)


def refuse_to_record(call: Call, when: When) -> None:
    if call.function == "send_email" and call.operation == "dynamodb.TransactWriteItems":
        raise refused("TransactWriteItems")


def refuse_after_ses(*anyway: str) -> Callable[[Call, When], None]:
    """Refuse every call of a run after its call of SES, and these operations anyway."""
    sent: set[int] = set()

    def refuse(call: Call, when: When) -> None:
        if call.operation == "sesv2.SendEmail":
            sent.add(call.run)
        elif call.run in sent or call.operation in anyway:
            raise refused("UpdateItem")

    return refuse


def test_an_email_that_cannot_be_recorded_for_a_day_goes_out_once(hitl: Hitl) -> None:
    with watched(hitl, refuse_to_record):
        request = hitl.ask(emit=EMIT)
        hitl.advance(minutes=24 * 60)
        assert request.kinds == ["request_created"]
        assert len(hitl.inbox) == 1
    hitl.advance(minutes=61)
    assert request.kinds == MAILED
    assert len(hitl.inbox) == 1
    assert request.timeline[1]["data"]["message_id"]


def test_one_of_which_nothing_can_be_written_goes_out_twice_and_then_is_uncertain(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
    with watched(hitl, refuse_after_ses("dynamodb.TransactWriteItems")):
        hitl.advance(minutes=24 * 60)
    assert len(hitl.inbox) == 2
    capsys.readouterr()
    hitl.advance(minutes=61)
    assert request.kinds == ["request_created", "mail_uncertain"]
    assert capsys.readouterr().out.count('"MailUncertain":') == 1
    diagnosis = hitl.api("GET", f"/v1/requests/{request.id}/diagnosis").json["diagnosis"]
    found = [finding for finding in diagnosis["questions"][0]["findings"] if finding["status"] == "problem"]
    assert ["twice" in finding["fact"] for finding in found] == [True]
    hitl.advance(days=3)
    assert len(hitl.inbox) == 2


def test_one_that_was_answered_before_it_was_recorded_is_recorded_all_the_same(hitl: Hitl) -> None:
    with watched(hitl, refuse_to_record):
        request = hitl.ask(emit=EMIT)
        hitl.advance(minutes=1)
        assert callback(hitl, request).status == 200
    hitl.advance(minutes=61)
    assert request.kinds == ["request_created", "response_submitted", "notification_sent"]
    assert len(hitl.inbox) == 1
    assert request.timeline[2]["data"]["message_id"]


def test_one_that_was_answered_though_nobody_knows_that_it_was_sent_is_on_record(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker dies between SES and the log, and there is nothing left to send when the message comes again."""
    with watched(hitl, refuse_after_ses()):
        request = hitl.ask(emit=EMIT)
        assert callback(hitl, request).status == 200
    hitl.advance(minutes=61)
    assert request.kinds == ["request_created", "response_submitted", "mail_uncertain"]
    assert len(hitl.inbox) == 1
    assert '"MailUncertain":' not in capsys.readouterr().out, "there is nothing for an operator to do"
    diagnosis = hitl.api("GET", f"/v1/requests/{request.id}/diagnosis").json["diagnosis"]
    facts = [found["fact"] for question in diagnosis["questions"] for found in question["findings"]]
    assert not any("SES" in fact for fact in facts)


def test_what_ses_does_not_take_is_tried_for_as_long_as_it_takes(hitl: Hitl) -> None:
    """Also where DynamoDB forgets nothing: a try that came to nothing is not counted."""

    def refuse(call: Call, when: When) -> None:
        if call.operation == "sesv2.SendEmail" and when == "before":
            raise refused("SendEmail")

    with watched(hitl, refuse):
        request = hitl.ask(emit=EMIT)
        hitl.advance(minutes=24 * 60)
    hitl.advance(minutes=61)
    assert request.kinds == MAILED
    assert len(hitl.inbox) == 1


def test_no_email_is_begun_that_the_worker_may_not_live_to_record(hitl: Hitl) -> None:
    with unsettled(hitl):
        requests = [hitl.ask(emit=EMIT) for _ in range(3)]
    bodies = [f'{{"kind": "notify", "request_id": "{request.id}", "event_seq": 1}}' for request in requests]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 23_000 if hitl.inbox else 25_000)
    failures = handler({"Records": sqs_records(*bodies)}, context)["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == ["message-1", "message-2"]
    assert len(hitl.inbox) == 1
    hitl.advance(seconds=5)
    assert len(hitl.inbox) == 3
