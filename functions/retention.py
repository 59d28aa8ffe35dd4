"""Retention, every hour: what deployments no longer want to keep is erased."""

from flow_hitl.bootstrap import current
from flow_hitl.platform.telemetry import CONTENT_HELD, count, logger
from flow_hitl.retention.keep_retention import Behind, Held
from functions.workers import Message, queue_handler


def retain(_message: Message) -> None:
    failed: Exception | None = None
    for done in current().keep_retention():
        if isinstance(done, Behind):
            logger.error("retention is behind", deployment_id=done.deployment_id, exc_info=done.error)
            failed = done.error
        elif isinstance(done, Held):
            count(CONTENT_HELD, request_id=done.request_id)
            logger.error(
                "content not erased", deployment_id=done.deployment_id, request_id=done.request_id, why=done.why
            )
        elif done.contents or done.emails:
            logger.info("erased", deployment_id=done.deployment_id, contents=done.contents, emails=done.emails)
    if failed is not None:
        raise failed


handler = queue_handler(retain)
