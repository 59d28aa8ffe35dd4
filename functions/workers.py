"""What the SQS workers share: one call per message; only those that failed are delivered again."""

from collections.abc import Callable, Mapping
from typing import Any

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.telemetry import begin, logger
from functions.retries import come_again, try_again


class Postponed(Exception):
    """The message is to come again, as planned; this is not logged as an error."""


@dataclass(frozen=True)
class Message:
    """A message of a queue; `attempt` counts from 1 how often it was delivered."""

    message_id: str
    body: str
    receipt_handle: str
    attempt: int
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Message":
        """Read a record as Lambda has it."""
        return cls(
            message_id=record["messageId"],
            body=record["body"],
            receipt_handle=record["receiptHandle"],
            attempt=int((record.get("attributes") or {}).get("ApproximateReceiveCount", 1)),
            attributes=record.get("messageAttributes") or {},
        )


def queue_handler(
    work: Callable[[Message], object], *, retried: str | None = None, seconds: float = 0
) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the Lambda handler that calls `work` with each message of a batch and reports those that raised.

    Even if all fail, the invocation does not: the queue delivers again, and its alarm watches the age.
    `retried` names the queue if its messages come again after growing pauses instead of the queue's own. A message
    behind the first that finds less than these `seconds` left comes again at once, to another worker.
    """

    def is_done(message: Message) -> bool:
        begin(message.message_id)
        try:
            work(message)
        except Postponed:
            return False
        except Exception:
            logger.exception("message failed", message_id=message.message_id)
            if retried:
                try_again(retried, message.receipt_handle, message.attempt)
            return False
        return True

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        failed: list[str] = []
        # One is worked off in any case, or none ever would be where functions have less time.
        for number, message in enumerate(map(Message.of, event["Records"])):
            if retried and number and seconds and context and context.get_remaining_time_in_millis() < seconds * 1000:
                come_again(retried, message.receipt_handle, 1)
                failed.append(message.message_id)
            elif not is_done(message):
                failed.append(message.message_id)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    return handler
