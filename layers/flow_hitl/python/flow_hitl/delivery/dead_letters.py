"""Messages that were given up: where each goes again, and when by itself."""

import json
from datetime import datetime, timedelta

from flow_hitl.delivery.retries import RESUME
from flow_hitl.platform.records import dataclass

MOVES = "moves"
"""The attribute of a message that counts how often it has gone back by itself."""
GOING_BACK = (
    "email",
    "mail_feedback",
    "inbound_mail",
    "deadline",
    "schedules",
    "resume",
    "receipt",
    "webhook",
    "relay_retry",
    "seal",
)
"""The dead-letter queues whose messages go back by themselves. An export that failed is asked for anew; a sweep
and the figures come again anyway; the stream's hold pointers, and no messages."""
_HOURS = (1, 2, 4, 8, 16)
# SQS keeps a message for 14 days from when it was sent.
_DAYS = 12
_PAUSES = tuple(timedelta(hours=hours) for hours in (*_HOURS, *[24] * _DAYS))


@dataclass(frozen=True)
class DeadLetter:
    """A message in a dead-letter queue: when it was sent last, and how often it has gone back by itself."""

    queue: str
    receipt_handle: str
    body: str
    sent_at: datetime
    moves: int

    @property
    def goes_at(self) -> datetime | None:
        """Return when it goes back by itself: an hour after it was sent, then after two, four … and daily.

        After two weeks it no longer does; then it rests until a person sends it, or SQS forgets it. When a message was
        given up, SQS does not say; of a new resumption it is known, and it rests for an hour from then.
        """
        if self.moves >= len(_PAUSES):
            return None
        tried = sum(RESUME.pauses) if self.queue == "resume" and not self.moves else 0
        return self.sent_at + timedelta(seconds=tried) + _PAUSES[self.moves]

    def may_go(self, now: datetime) -> bool:
        return self.goes_at is not None and now >= self.goes_at


def work_queue(dead_letters: str) -> str:
    """Return the queue where what rests in a dead-letter queue belongs."""
    return "deadline" if dead_letters == "schedules" else dead_letters


def message_again(dead_letters: str, body: str) -> str:
    """Return the message to send again: EventBridge Scheduler keeps the whole call that it could not make."""
    if dead_letters != "schedules":
        return body
    try:
        return str(json.loads(body)["MessageBody"])
    except (KeyError, TypeError, ValueError):
        return body
