"""Email replies: one message per email that SES received and put into the mail bucket."""

import json

from flow_hitl.bootstrap import current
from flow_hitl.platform.key_ring import KeysTooOld
from flow_hitl.platform.telemetry import count, logger
from flow_hitl.replies.inbound_mail import Receipt
from functions.workers import Message, Postponed, queue_handler


def accept(message: Message) -> None:
    notification = json.loads(message.body)
    if notification.get("notificationType") == "AmazonSnsSubscriptionSucceeded":
        return
    receipt = Receipt.from_notification(notification)
    try:
        outcome = current().accept_reply(receipt)
    except KeysTooOld:
        raise Postponed from None
    count(f"Mail{outcome.partition(':')[0].capitalize()}")
    logger.info("mail processed", mail=receipt.message_id, outcome=outcome)


handler = queue_handler(accept, retried="inbound_mail")
