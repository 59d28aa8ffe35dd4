"""Mail replies: one message per mail that SES took in, which lies in the mail bucket by then."""

import json

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.bootstrap import current
from flow_hitl.domain.inbound import Receipt
from flow_hitl.signing.keys import KeysTooOld
from flow_hitl.telemetry import count, logger
from functions.workers import Postponed, queue_handler


def accept(record: SQSRecord) -> None:
    notification = json.loads(record.body)
    if notification.get("notificationType") == "AmazonSnsSubscriptionSucceeded":
        return
    receipt = Receipt.from_notification(notification)
    try:
        outcome = current().accept_reply(receipt)
    except KeysTooOld:
        raise Postponed from None
    count(f"Mail{outcome.partition(':')[0].capitalize()}")
    logger.info("mail processed", mail=receipt.message_id, outcome=outcome)


handler = queue_handler(accept)
