"""Emails, one per message of the email queue."""

from flow_hitl.audit.ports import EffectBusy
from flow_hitl.bootstrap import current
from flow_hitl.delivery.queues import read_effect
from flow_hitl.people.sign_in_queue import read_sign_in
from flow_hitl.platform.telemetry import MAIL_UNCERTAIN, count, logger
from functions.workers import Message, Postponed, queue_handler


def send(message: Message) -> None:
    try_id = read_sign_in(message.body)
    if try_id is not None:
        logger.info("sign-in mail", outcome=current().send_sign_in_mail(try_id))
        return
    try:
        effect = read_effect(message.body)
        if not current().send_mail(effect):
            count(MAIL_UNCERTAIN, request_id=effect.request_id, mail=effect.kind)
    except EffectBusy as busy:
        # Delivered twice at once: the other worker finishes it, or its lease ends before the next try.
        raise Postponed from busy


# Ended while SES is silent, it would not know whether the email was sent: SES is given up after 21 seconds.
handler = queue_handler(send, retried="email", seconds=24)
