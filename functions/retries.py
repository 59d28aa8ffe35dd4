"""What a worker has failed on comes again after a pause that grows from attempt to attempt."""

from flow_hitl.bootstrap import current
from flow_hitl.delivery.retries import DAYS
from flow_hitl.platform.telemetry import MESSAGE_KEEPS_FAILING, count, logger


def try_again(queue: str, receipt_handle: str, attempt: int) -> None:
    """Hide a queue's message for the pause after this attempt (from 1).

    After the last attempt the queue itself moves the message to its dead-letter queue.
    """
    if DAYS.is_late(attempt):
        count(MESSAGE_KEEPS_FAILING, queue=queue, attempt=attempt)
    come_again(queue, receipt_handle, DAYS.pause_after(attempt) or 0)


def come_again(queue: str, receipt_handle: str, pause: int) -> None:
    """Hide a queue's message for a pause in seconds; if that fails, the queue's own pause holds."""
    try:
        current().messages(queue).postpone(receipt_handle, pause)
    except Exception:
        logger.warning("pause not set", queue=queue, exc_info=True)
