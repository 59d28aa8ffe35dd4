"""The sweep: every few minutes, what should have happened by now and has not is done."""

from typing import Any

from flow_hitl.bootstrap import current
from flow_hitl.platform.telemetry import SWEEP_ENDED, SWEEP_FOUND, USAGE_NOT_COUNTED, count, logger
from flow_hitl.sweep.agenda import Matter
from flow_hitl.sweep.second_look import Looked
from functions.workers import Message, queue_handler


def sweep(_message: Message) -> None:
    try:
        _look_at_the_log()
    finally:
        _redrive_dead_letters()


def _redrive_dead_letters() -> None:
    for redriven in (*current().redrive_dead_letters.due(), current().redrive_stream.due()):
        if redriven.moved:
            logger.warning("dead letters sent again", queue=redriven.queue, moved=redriven.moved)


def _look_at_the_log() -> None:
    events = repaired = found = 0
    for done in current().run_sweep():
        if isinstance(done, Looked):
            events += done.events
            repaired += len(done.handed_on)
            found += len(done.senseless)
            for effect in done.handed_on:
                logger.warning(
                    "effect handed on again",
                    effect=effect.kind,
                    request_id=effect.request_id,
                    event_seq=effect.event_seq,
                )
            if done.uncounted:
                count(USAGE_NOT_COUNTED)
                logger.error("emails of answers not counted", events=done.events)
            for name in done.senseless:
                count(SWEEP_FOUND, record=name)
                logger.error("audit event makes no sense", record=name)
        else:
            repaired += len(done.repaired)
            found += len(done.found)
            for matter in done.repaired:
                logger.warning("done again", **_named(matter))
            for matter in done.found:
                count(SWEEP_FOUND, **_named(matter))
                logger.error("late, though it was done again", **_named(matter))
    count(SWEEP_ENDED, events=events, repaired=repaired, found=found)


def _named(matter: Matter) -> dict[str, Any]:
    effect = {"effect": matter.effect.kind, "event_seq": matter.effect.event_seq} if matter.effect else {}
    return {"topic": matter.topic, "deployment_id": matter.deployment_id, "subject": matter.subject, **effect}


handler = queue_handler(sweep)
