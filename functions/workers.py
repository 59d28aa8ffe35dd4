"""What the SQS workers share: one call per message; only those that failed are delivered again."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.platform.telemetry import logger
from functions.retries import come_again, try_again


class Postponed(Exception):
    """The message is to come again, as planned; this is not logged as an error."""


def queue_handler(
    work: Callable[[SQSRecord], object], *, retried: str | None = None, seconds: float = 0
) -> Callable[[dict[str, Any], Any], Any]:
    """Return the Lambda handler that calls `work` with each message of a batch and reports those that raised.

    `retried` names the queue if its messages come again after growing pauses instead of the queue's own. A message
    behind the first that finds less than these `seconds` left comes again at once, to another worker.
    """
    # Even if all fail, the invocation does not: the queue delivers again, and its alarm watches the age.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def logged(record: SQSRecord) -> None:
        try:
            work(record)
        except Postponed:
            raise
        except Exception:
            logger.exception("message failed", message_id=record.message_id)
            if retried:
                try_again(retried, record.receipt_handle, int(record.attributes.approximate_receive_count))
            raise

    def handler(event: dict[str, Any], context: Any) -> Any:
        worked: list[SQSRecord] = []

        def in_time(record: SQSRecord) -> None:
            is_short = seconds and context and context.get_remaining_time_in_millis() < seconds * 1000
            # One is worked off in any case, or none ever would be where functions have less time.
            if retried and is_short and worked:
                come_again(retried, record.receipt_handle, 1)
                raise Postponed
            worked.append(record)
            logged(record)

        return process_partial_response(event=event, record_handler=in_time, processor=processor, context=context)

    return handler
