"""The clock: one message per due auto-response."""

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.adapters.queues import read_deadline
from flow_hitl.bootstrap import current
from functions.workers import queue_handler


def answer(record: SQSRecord) -> None:
    current().auto_respond(read_deadline(record.body))


handler = queue_handler(answer)
