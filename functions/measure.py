"""Turns the audit table's stream into figures; records that fail go to a queue and hold up no others."""

import json
from typing import Any

from flow_hitl.audit.audit_log import event_from_item
from flow_hitl.bootstrap import current
from flow_hitl.platform.telemetry import logger
from functions.retries import try_again


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Count records of the stream, a batch at a time, or of the retry queue, one by one."""
    streamed = [record["dynamodb"]["NewImage"] for record in event["Records"] if record.get("eventName") == "INSERT"]
    failures = _count_together(streamed)
    for image in failures:
        current().messages("measure_retry").send(json.dumps(image))
    queued = [record for record in event["Records"] if record["eventSource"] == "aws:sqs"]
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in queued if not _retried(each)]}


def _count_together(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the images that could not be counted: all of them, even if only one is at fault."""
    try:
        current().measure_events([event_from_item(image) for image in images])
    except Exception:
        logger.exception("measuring failed, queued to be tried again", records=len(images))
        return images
    return []


def _retried(record: dict[str, Any]) -> bool:
    try:
        current().measure_events([event_from_item(json.loads(record["body"]))])
    except Exception:
        logger.exception("measuring failed again", message_id=record["messageId"])
        try_again("measure_retry", record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"]))
        return False
    return True
