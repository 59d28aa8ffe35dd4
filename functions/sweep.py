"""The sweep: every few minutes, what should have happened by now and has not is done."""

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from flow_hitl.bootstrap import current
from flow_hitl.platform.telemetry import SWEEP_ENDED, count, logger
from functions.workers import queue_handler


def sweep(_record: SQSRecord) -> None:
    try:
        _look_at_the_log()
    finally:
        _redrive_dead_letters()


def _redrive_dead_letters() -> None:
    for redriven in current().redrive_dead_letters.due():
        if redriven.moved:
            logger.warning("dead letters sent again", queue=redriven.queue, moved=redriven.moved)


def _look_at_the_log() -> None:
    events = handed_on = 0
    for looked in current().sweep_log():
        events, handed_on = events + looked.events, handed_on + len(looked.handed_on)
        for effect in looked.handed_on:
            logger.warning(
                "effect handed on again", effect=effect.kind, request_id=effect.request_id, event_seq=effect.event_seq
            )
        for name in looked.senseless:
            logger.error("audit event makes no sense", record=name)
    count(SWEEP_ENDED, events=events, handed_on=handed_on)


handler = queue_handler(sweep)
