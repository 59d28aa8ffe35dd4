"""The audit table's stream becomes effects; a record that fails goes to a queue of its own and holds up no other."""

import json
from typing import Any

from flow_hitl.adapters.audit_log import event_from_item
from flow_hitl.bootstrap import current
from flow_hitl.telemetry import AUDIT_EVENT_CHANGED, count, logger


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Relay records of the stream, or of the retry queue, which carries the same records."""
    failures = []
    for record in event["Records"]:
        if record["eventSource"] == "aws:sqs":
            failures += _retried(record)
        else:
            failures += _streamed(record)
    return {"batchItemFailures": failures}


def _streamed(record: dict[str, Any]) -> list[dict[str, str]]:
    if record["eventName"] != "INSERT":
        # Audit events are only ever added: anything else is tampering, or an operator at work.
        count(AUDIT_EVENT_CHANGED)
        logger.critical("audit event changed", change=record["eventName"], keys=record["dynamodb"].get("Keys"))
        return []
    try:
        _relay(record["dynamodb"]["NewImage"])
    except Exception:
        logger.exception("relay failed, queued to be tried again")
        current().relay_retries.send(json.dumps(record["dynamodb"]["NewImage"]))
    return []


def _retried(record: dict[str, Any]) -> list[dict[str, str]]:
    try:
        _relay(json.loads(record["body"]))
    except Exception:
        logger.exception("relay failed again")
        return [{"itemIdentifier": record["messageId"]}]
    return []


def _relay(image: dict[str, Any]) -> None:
    current().relay_event(event_from_item(image))
