"""No message is lost: every queue has a dead-letter queue, and every reader says which message failed."""

import json
from typing import Any

import pytest

from flow_hitl.delivery.retries import DAYS, RESUME
from tests.infra.conftest import Stack

BATCH_SIZES = {
    "Email": 5,
    "Receipt": 10,
    "Resume": 1,
    "Webhook": 1,
    "Deadline": 10,
    "InboundMail": 5,
    "MailFeedback": 10,
    "RelayRetry": 10,
    "Seal": 1,
    "Export": 1,
    "Sweep": 1,
    "Measure": 1,
    "Retention": 1,
}

REPEATED = ("Seal", "Export", "Sweep", "Measure", "Retention")


def test_every_queue_has_a_dead_letter_queue_or_is_one(core: Stack) -> None:
    queues = core.of_type("AWS::SQS::Queue")
    dead_letters = {name for name in queues if "DeadLetters" in name}
    targets = [
        each["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for name, each in queues.items()
        if name not in dead_letters
    ]
    assert len(targets) == len(BATCH_SIZES) == len(queues) - len(dead_letters)
    of_no_queue = {name for name in dead_letters if "Stream" in name or "Schedule" in name}
    assert len(of_no_queue) == 2
    assert {*targets, *of_no_queue} == dead_letters


def test_every_queue_is_encrypted_and_keeps_messages_for_as_long_as_sqs_can(core: Stack) -> None:
    for queue in core.properties("AWS::SQS::Queue"):
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_every_queue_refuses_plain_http(core: Stack) -> None:
    closed = {
        policy["Queues"][0]["Ref"]
        for policy in core.properties("AWS::SQS::QueuePolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert closed == set(core.of_type("AWS::SQS::Queue"))


@pytest.mark.parametrize(("name", "batch_size"), BATCH_SIZES.items())
def test_a_queues_reader_reports_single_failures_and_has_time(core: Stack, name: str, batch_size: int) -> None:
    queue = core.find("AWS::SQS::Queue", f"Queues{name}Queue")["Properties"]
    (source,) = [each for each in _sources(core) if f"Queues{name}Queue" in str(each["EventSourceArn"])]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BatchSize"] == batch_size
    reader = core.template["Resources"][source["FunctionName"]["Ref"]]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * reader["Timeout"]


@pytest.mark.parametrize("name", [name for name in BATCH_SIZES if name not in REPEATED])
def test_what_a_request_waits_for_is_tried_for_days_and_a_resumption_for_one(core: Stack, name: str) -> None:
    patience = RESUME if name == "Resume" else DAYS
    policy = core.find("AWS::SQS::Queue", f"Queues{name}Queue")["Properties"]["RedrivePolicy"]
    assert patience.attempts < policy["maxReceiveCount"] <= patience.attempts + 5


def test_the_audit_stream_feeds_the_relay_and_never_blocks_on_one_record(core: Stack) -> None:
    (source,) = [each for each in _sources(core) if "StreamArn" in str(each["EventSourceArn"])]
    assert source["FunctionName"]["Ref"] == core.function_id("relay")
    assert source["BisectBatchOnFunctionError"] is True
    assert source["MaximumRetryAttempts"] == 5
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert "StreamDeadLetters" in str(source["DestinationConfig"]["OnFailure"]["Destination"])


def test_receipts_reach_the_inbound_queue_as_they_are(core: Stack) -> None:
    subscription = core.find("AWS::SNS::Subscription", "InboundMail")["Properties"]
    assert subscription["RawMessageDelivery"] is True
    assert "InboundMailDeadLetters" in str(subscription["RedrivePolicy"])


def test_only_ses_of_this_account_publishes_receipts(core: Stack) -> None:
    policy = core.find("AWS::SNS::TopicPolicy", "Receipts")["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in policy if each["Effect"] == "Allow"]
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "ses.amazonaws.com"}, "sns:Publish")
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def _sources(core: Stack) -> list[dict[str, Any]]:
    return core.properties("AWS::Lambda::EventSourceMapping")


def test_the_stream_calls_the_relay_for_what_something_follows_from_and_for_tampering(core: Stack) -> None:
    (mapping,) = [each for each in _sources(core) if "FilterCriteria" in each]
    added, changed = (json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"])
    assert changed == {"eventName": ["MODIFY", "REMOVE"]}
    (left_out,) = added.pop("dynamodb")["NewImage"]["kind"]["S"]
    assert added == {"eventName": ["INSERT"]}
    assert {"notification_sent", "confirmation_sent", "resume_attempted"} <= set(left_out["anything-but"])
    heard = {"request_created", "request_reassigned", "response_submitted", "request_cancelled", "reply_rejected"}
    heard |= {"reminder_due", "resume_retried", "receipt_issued", "notification_undelivered"}
    heard |= {"question_asked", "question_answered"}
    assert heard.isdisjoint(left_out["anything-but"])
