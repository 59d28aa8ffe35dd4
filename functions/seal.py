"""The audit log's seal: one message an hour, and another whenever a run ends before the work does.

A message may name the time to seal up to; by default all past hours are sealed.
"""

import json

from flow_hitl.bootstrap import current
from flow_hitl.platform.times import parse_rfc3339
from functions.workers import Message, queue_handler


def seal(message: Message) -> None:
    until, seal_audit = json.loads(message.body).get("until"), current().seal_audit
    if not (seal_audit(parse_rfc3339(until)) if until else seal_audit.hourly()):
        current().messages("seal").send(message.body)


handler = queue_handler(seal)
