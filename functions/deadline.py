"""The clock: one message per due auto-response or reminder."""

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.bootstrap import current
from flow_hitl.requests.store.deadlines import read_deadline
from functions.workers import queue_handler


def fire(record: SQSRecord) -> None:
    request_id, reminder_at = read_deadline(record.body)
    if reminder_at is None:
        current().auto_respond(request_id)
    else:
        current().remind(request_id, reminder_at)


handler = queue_handler(fire, retried="deadline")
