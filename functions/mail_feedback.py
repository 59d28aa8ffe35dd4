"""Bounces and complaints about our emails, as SES reports them."""

import json

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.bootstrap import current
from flow_hitl.mails.mail_feedback import MailFeedback
from functions.workers import queue_handler


def take(record: SQSRecord) -> None:
    feedback = MailFeedback.from_event(json.loads(record.body))
    if feedback is not None:
        current().take_mail_feedback(feedback)


handler = queue_handler(take, retried="mail_feedback")
