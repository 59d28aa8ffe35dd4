"""Turns the audit table's stream into effects; records that fail go to a queue and hold up no others."""

import json
from collections.abc import Sequence
from typing import Any

from flow_hitl.audit.audit_log import event_from_item
from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.bootstrap import current
from flow_hitl.platform.telemetry import (
    AUDIT_EVENT_CHANGED,
    CREATOR_UNREACHABLE,
    USAGE_NOT_COUNTED,
    about,
    begin,
    count,
    logger,
)
from functions.retries import try_again


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Relay records of the stream, or the same records from the retry queue."""
    begin(context.aws_request_id)
    failures: list[dict[str, str]] = []
    relayed: list[AuditEvent] = []
    for record in event["Records"]:
        if record["eventSource"] == "aws:sqs":
            failures += _retried(record, relayed)
        else:
            _streamed(record, relayed)
    _count(relayed)
    _forget_schedules(relayed)
    return {"batchItemFailures": failures}


def _streamed(record: dict[str, Any], relayed: list[AuditEvent]) -> None:
    if record["eventName"] != "INSERT":
        # Audit events are only ever added: anything else is tampering, or an operator.
        count(AUDIT_EVENT_CHANGED)
        logger.critical("audit event changed", change=record["eventName"], keys=record["dynamodb"].get("Keys"))
        return
    try:
        relayed.append(_relay(record["dynamodb"]["NewImage"]))
    except Exception:
        logger.exception("relay failed, queued to be tried again")
        current().messages("relay_retry").send(json.dumps(record["dynamodb"]["NewImage"]))


def _retried(record: dict[str, Any], relayed: list[AuditEvent]) -> list[dict[str, str]]:
    try:
        relayed.append(_relay(json.loads(record["body"])))
    except Exception:
        logger.exception("relay failed again")
        try_again("relay_retry", record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"]))
        return [{"itemIdentifier": record["messageId"]}]
    return []


def _relay(image: dict[str, Any]) -> AuditEvent:
    event = event_from_item(image)
    about(request_id=event.request_id, deployment_id=event.data.get("deployment_id"))
    current().relay_event(event)
    if event.kind is EventKind.NOTIFICATION_UNDELIVERED and event.data.get("creator"):
        count(CREATOR_UNREACHABLE, deployment_id=event.data["deployment_id"])
    return event


def _forget_schedules(relayed: Sequence[AuditEvent]) -> None:
    """Delete schedules that have nothing left to do, after all effects are on their way: these hold up nothing."""
    over = [event for event in relayed if "scheduled" in event.data]
    if over and not current().forget_schedules(over):
        logger.warning("schedules not deleted", events=len(over))


def _count(relayed: Sequence[AuditEvent]) -> None:
    try:
        current().count_usage(relayed)
    except Exception:
        # The effects are on their way; failing here would send them all again.
        count(USAGE_NOT_COUNTED)
        logger.exception("usage not counted")
