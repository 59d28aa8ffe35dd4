"""An hour in which a flow waits for its answer: the ways to wait, and what each takes of AWS."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from flow_hitl_client.types import Request
from flow_hitl_client.waiting import Pause, Waiting, next_look
from infra.local.hitl_fixture import Hitl
from infra.topology import FUNCTIONS
from tests.support.asserts import EMIT
from tests.support.aws_calls import watched
from tests.support.prices import Spent

_HOUR = 3600.0
# What a call takes beside its wait: 20 ms of a whole processor, of which it has a seventh, and the answers of AWS.
_HANDLING_SECONDS = 0.2
_MEMORY = next(one.memory_size for one in FUNCTIONS if one.name == "wait")
_WRITING = ("dynamodb.PutItem", "dynamodb.UpdateItem")


class _Meter:
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
        self.seconds += self.now() - began + _HANDLING_SECONDS
        document: dict[str, Any] = answer.json
        return document


@contextmanager
def _metered(hitl: Hitl, spent: list[Spent]) -> Iterator[_Meter]:
    """Yield what calls the API; then `spent` has what it cost."""
    meter = _Meter(hitl)
    with watched(hitl) as calls:
        yield meter
    made = [call.operation for call in calls.begun if call.function == "wait"]
    assert len(made) >= meter.calls
    writes = sum(operation in _WRITING for operation in made)
    spent.append(Spent(meter.calls, meter.seconds, _MEMORY, len(made) - writes, writes))


def _wait_in_place(meter: _Meter, hitl: Hitl, request_id: str) -> None:
    """Wait as `client.wait_for` and `BlockingProvider` do."""

    def get_request(request_id: str, *, wait: int) -> Request:
        return cast("Request", meter.get(f"/v1/requests/{request_id}?wait={wait}")["request"])

    waiting, until = Waiting(get_request, request_id, None, clock=meter.now), meter.now() + _HOUR
    while meter.now() < until:
        found = waiting.look()
        assert isinstance(found, Pause)
        hitl.clock.sleep(found.seconds)


def _follow_the_feed(meter: _Meter, hitl: Hitl, _request_id: str) -> None:
    """Follow the decisions as `flow-hitl-client resume` does."""
    began, cursor = meter.now(), ""
    while (quiet := meter.now() - began) < _HOUR:
        look = next_look(quiet)
        hitl.clock.sleep(look.pause)
        cursor = str(meter.get(f"/v1/decisions?wait={look.wait}&cursor={cursor}")["cursor"])


def _wait_all_the_time(meter: _Meter, _hitl: Hitl, request_id: str) -> None:
    """Wait as a program of one's own may: one long call after the other."""
    until = meter.now() + _HOUR
    while meter.now() < until:
        meter.get(f"/v1/requests/{request_id}?wait=20")


WAYS: Mapping[str, Callable[[_Meter, Hitl, str], None]] = {
    "client.wait_for": _wait_in_place,
    "the feed": _follow_the_feed,
    "?wait=20": _wait_all_the_time,
}


def an_hour_of(way: str, hitl: Hitl) -> Spent:
    """Return what an hour takes in which a request is not answered."""
    request, spent = hitl.ask(emit=EMIT), list[Spent]()
    with _metered(hitl, spent) as meter:
        WAYS[way](meter, hitl, request.id)
    return spent[0]
