"""The clock: one message per due auto-response or reminder."""

from flow_hitl.bootstrap import current
from flow_hitl.requests.store.deadlines import read_deadline
from functions.workers import Message, queue_handler


def fire(message: Message) -> None:
    request_id, reminder_at = read_deadline(message.body)
    if reminder_at is None:
        current().auto_respond(request_id)
    else:
        current().remind(request_id, reminder_at)


handler = queue_handler(fire, retried="deadline")
