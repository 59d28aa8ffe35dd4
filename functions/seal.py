"""The audit log's seal: one message a night, and one more for each time that the work was more than one run can do.

A message may name a moment to seal up to; else it is for the days that are over.
"""

import json

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.bootstrap import current
from flow_hitl.platform.times import parse_rfc3339
from functions.workers import queue_handler


def seal(record: SQSRecord) -> None:
    until, seal_audit = json.loads(record.body).get("until"), current().seal_audit
    if not (seal_audit(parse_rfc3339(until)) if until else seal_audit.daily()):
        current().messages("seal").send(record.body)


handler = queue_handler(seal)
