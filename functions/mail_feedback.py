"""Bounces and complaints about our emails, as SES reports them."""

import json

from flow_hitl.bootstrap import current
from flow_hitl.mails.mail_feedback import MailFeedback
from flow_hitl.platform.telemetry import logger
from functions.workers import Message, queue_handler


def take(message: Message) -> None:
    try:
        event = json.loads(message.body)
        feedback = MailFeedback.from_event(event)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # SES first says in plain words that it may publish, and anything it says later that we do not know would come
        # again for days: trying again does not make a report of it.
        logger.warning("not a report about an email", message_id=message.message_id, error=type(error).__name__)
        return
    if feedback is not None:
        current().take_mail_feedback(feedback)


handler = queue_handler(take, retried="mail_feedback")
