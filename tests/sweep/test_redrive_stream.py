"""A pointer to events that the stream could not deliver leads to a second look at them."""

import json
from datetime import datetime

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.platform.times import rfc3339
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT
from tests.support.outages import losing_events


def pointer(hitl: Hitl, function: str, at: datetime) -> None:
    batch = {"approximateArrivalOfFirstRecord": rfc3339(at), "approximateArrivalOfLastRecord": rfc3339(at)}
    body = {"requestContext": {"functionArn": f"arn:aws:lambda:…:{function}"}, "DDBStreamBatchInfo": batch}
    url = current().settings.dead_letter_queue_url("stream")
    hitl._clients["sqs"].send_message(QueueUrl=url, MessageBody=json.dumps(body))


def test_the_events_that_a_pointer_names_are_handed_on(hitl: Hitl) -> None:
    with losing_events(hitl):
        request = hitl.ask(emit=EMIT)
    pointer(hitl, "flow-hitl-FunctionsRelay", hitl.clock.now())
    redrive = current().redrive_stream
    assert redrive.all().moved == 0, "the events have not settled yet"
    hitl.clock.sleep(16 * 60)
    assert redrive.due().moved == 0, "an hour is not over"
    hitl.clock.sleep(1)
    assert redrive.all().moved == 1
    hitl.advance(seconds=1)
    assert request.kinds.count("notification_sent") == 1
    assert redrive.all().resting == 0


@pytest.mark.parametrize("body", ["not json", "{}", '{"DDBStreamBatchInfo": {}}'])
def test_what_is_no_pointer_rests(hitl: Hitl, body: str) -> None:
    hitl._clients["sqs"].send_message(QueueUrl=current().settings.dead_letter_queue_url("stream"), MessageBody=body)
    assert current().redrive_stream.all().resting == 1


def test_a_pointer_that_an_earlier_version_left_for_the_figures_is_cleared_away(hitl: Hitl) -> None:
    pointer(hitl, "flow-hitl-FunctionsMeasure", hitl.clock.now())
    hitl.clock.sleep(2 * 3600)
    assert current().redrive_stream.due().moved == 1
    assert current().redrive_stream.all().resting == 0
