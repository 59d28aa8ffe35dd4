"""Mails, one per message of the email queue."""

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.adapters.queues import read_effect
from flow_hitl.bootstrap import current
from flow_hitl.ports import EffectBusy
from functions.workers import Postponed, queue_handler


def send(record: SQSRecord) -> None:
    try:
        current().send_mail(read_effect(record.body))
    except EffectBusy as busy:
        # Delivered twice at once: the other worker finishes it, or its lease ends before this one comes again.
        raise Postponed from busy


handler = queue_handler(send)
