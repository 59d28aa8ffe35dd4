"""What an hour costs in which a flow waits for its answer: docs/flows/waiting.md says it to people."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from flow_hitl.requests.reading.polling import LONGEST_PAUSE, LONGEST_WAIT, look_again_after
from flow_hitl_client.types import Request
from flow_hitl_client.waiting import Pause, Waiting, next_look
from infra.local.hitl_fixture import Hitl
from infra.topology import FUNCTIONS
from tests.support.asserts import EMIT
from tests.support.aws_calls import watched
from tests.support.prices import Spent

HOUR = 3600.0
# What a call takes beside its wait: 20 ms of a whole processor, of which it has a seventh, and the answers of AWS.
HANDLING_SECONDS = 0.2
MEMORY = next(one.memory_size for one in FUNCTIONS if one.name == "wait")
WRITING = ("dynamodb.PutItem", "dynamodb.UpdateItem")


class Meter:
    """Calls the API, and takes down for how long each call lasts by the fixture's clock."""

    def __init__(self, hitl: Hitl) -> None:
        self._hitl = hitl
        self.calls, self.seconds = 0, 0.0

    def now(self) -> float:
        return self._hitl.clock.now().timestamp()

    def get(self, path: str) -> dict[str, Any]:
        began = self.now()
        answer = self._hitl.api("GET", path)
        assert answer.status == 200
        self.calls += 1
        self.seconds += self.now() - began + HANDLING_SECONDS
        document: dict[str, Any] = answer.json
        return document


@contextmanager
def metered(hitl: Hitl, spent: list[Spent]) -> Iterator[Meter]:
    """Yield what calls the API; then `spent` has what it cost."""
    meter = Meter(hitl)
    with watched(hitl) as calls:
        yield meter
    made = [call.operation for call in calls.begun if call.function == "wait"]
    assert len(made) >= meter.calls
    writes = sum(operation in WRITING for operation in made)
    spent.append(Spent(meter.calls, meter.seconds, MEMORY, len(made) - writes, writes))


def wait_in_place(meter: Meter, hitl: Hitl, request_id: str) -> None:
    """Wait as `client.wait_for` and `BlockingProvider` do."""

    def get_request(request_id: str, *, wait: int) -> Request:
        return cast("Request", meter.get(f"/v1/requests/{request_id}?wait={wait}")["request"])

    waiting, until = Waiting(get_request, request_id, None, clock=meter.now), meter.now() + HOUR
    while meter.now() < until:
        found = waiting.look()
        assert isinstance(found, Pause)
        hitl.clock.sleep(found.seconds)


def follow_the_feed(meter: Meter, hitl: Hitl, _request_id: str) -> None:
    """Follow the decisions as `flow-hitl-client resume` does."""
    began, cursor = meter.now(), ""
    while (quiet := meter.now() - began) < HOUR:
        look = next_look(quiet)
        hitl.clock.sleep(look.pause)
        cursor = str(meter.get(f"/v1/decisions?wait={look.wait}&cursor={cursor}")["cursor"])


def wait_all_the_time(meter: Meter, _hitl: Hitl, request_id: str) -> None:
    """Wait as a program of one's own may: one long call after the other."""
    until = meter.now() + HOUR
    while meter.now() < until:
        meter.get(f"/v1/requests/{request_id}?wait=20")


@pytest.mark.parametrize(
    ("way", "dollars"), [(wait_in_place, 0.002), (follow_the_feed, 0.002), (wait_all_the_time, 0.0135)]
)
def test_an_hour_of_waiting_costs_no_more_than_it_may(
    hitl: Hitl, way: Callable[[Meter, Hitl, str], None], dollars: float, record_property: Callable[[str, object], None]
) -> None:
    request, spent = hitl.ask(emit=EMIT), list[Spent]()
    with metered(hitl, spent) as meter:
        way(meter, hitl, request.id)
    record_property("dollars", spent[0].dollars)
    assert spent[0].dollars <= dollars, spent


def test_an_answer_is_seen_at_once_at_first_and_half_a_minute_later_at_most() -> None:
    assert {next_look(waited).pause for waited in range(120)} == {0.0}
    assert [next_look(60.0 * minutes).pause for minutes in (2, 10, 30, 60, 60 * 24)] == [5.0, 10.0, 30.0, 30.0, 30.0]
    assert max(next_look(waited).pause for waited in range(0, 7200, 10)) == LONGEST_PAUSE.total_seconds()
    assert max(next_look(waited).wait for waited in range(0, 7200, 10)) == LONGEST_WAIT.total_seconds()


def test_a_call_that_waits_reads_less_often_for_an_older_request() -> None:
    ages = [timedelta(seconds=seconds) for seconds in (0, 30, 60, 120, 300, 24 * 3600)]
    assert [look_again_after(age) for age in ages] == [0.5, 0.5, 1.0, 2.0, 5.0, 5.0]


def test_the_function_that_waits_does_not_import_what_opens_or_shows_requests() -> None:
    look = "import sys; import functions.wait; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    imported = set(run.stdout.split())
    assert "flow_hitl.requests.request" in imported
    unwanted = {"boto3", "botocore.session", "jinja2", "flow_hitl.requests.opening.open_request"}
    assert not imported & unwanted
