"""How events of the audit stream become figures: each once, whatever is delivered twice, late, or is broken."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from flow_hitl.audit.audit_log import event_from_item
from flow_hitl.bootstrap import current
from flow_hitl.metrics.metrics import ALL_TIME, Bucket, Dimension, Generations
from infra.local.hitl_fixture import Hitl, made_once
from tests.support.asserts import EMIT
from tests.support.aws_calls import crashing, deaths, watched
from tests.support.figures import deliver, expected, make_busy, stored, stream

BOTH = pytest.mark.parametrize("when", ["before", "after"])


@pytest.fixture
def busy(hitl: Hitl) -> Hitl:
    """A deployment in which some things have happened that nobody has counted."""
    some_things(hitl)
    return hitl


some_things = made_once(make_busy)


def test_every_event_is_in_every_figure_it_belongs_to(busy: Hitl) -> None:
    deliver(busy, stream(busy))
    assert stored(busy) == expected(busy)
    assert stored(busy)[Bucket(Dimension.TOTAL, ALL_TIME)] == {"created": 5, "responded": 3, "cancelled": 1}


def test_events_that_come_twice_and_in_any_order_are_counted_once(busy: Hitl) -> None:
    records = stream(busy)
    chance = random.Random(5)  # noqa: S311 - no secret
    for _ in range(3):
        chance.shuffle(records)
        cut = chance.randrange(len(records))
        deliver(busy, records[:cut])
        deliver(busy, [*records[cut:], *records[:2]])
    assert stored(busy) == expected(busy)


def test_a_batch_in_which_some_were_counted_before_adds_the_others(busy: Hitl) -> None:
    records = stream(busy)
    deliver(busy, records[::3])
    deliver(busy, records)
    assert stored(busy) == expected(busy)


def test_one_batch_of_many_kinds_is_cut_into_transactions_that_fit(hitl: Hitl) -> None:
    for number in range(7):
        hitl.ask(emit=EMIT, method_name=f"m{number}", flow_name=f"f{number}", assigned_to_email=f"{number}@example.com")
        hitl.reply("approved")
    with watched(hitl) as calls:
        deliver(hitl, stream(hitl))
    assert stored(hitl) == expected(hitl)
    assert calls.operations.count("dynamodb.TransactWriteItems") == 2


def test_equal_requests_of_one_batch_share_their_writes(hitl: Hitl) -> None:
    for _ in range(20):
        hitl.ask(emit=EMIT)
    with watched(hitl) as calls:
        deliver(hitl, stream(hitl))
    assert calls.operations == ["dynamodb.GetItem", "dynamodb.TransactWriteItems"]
    assert stored(hitl) == expected(hitl)


def test_an_event_that_makes_no_sense_holds_up_no_other(busy: Hitl) -> None:
    records = stream(busy)
    opened = next(each for each in records if each["dynamodb"]["NewImage"]["kind"]["S"] == "request_created")
    image = opened["dynamodb"]["NewImage"]
    poison = {**opened, "dynamodb": {"NewImage": {**image, "event_id": {"S": "poison"}, "data": {"S": "{}"}}}}
    deliver(busy, [poison, *records])
    assert stored(busy) == expected(busy)
    busy.advance(minutes=60)
    assert stored(busy) == expected(busy)


def test_what_cannot_be_counted_now_is_counted_later(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    client = busy._clients["dynamodb"]
    with monkeypatch.context() as broken:
        broken.setattr(client.meta.events, "emit_until_response", _dynamodb_is_down(client.meta.events))
        busy._deliver("measure", stream(busy))
    busy.advance(minutes=10)
    assert stored(busy) == expected(busy)


def test_changed_and_removed_audit_events_are_no_new_ones(busy: Hitl) -> None:
    records = stream(busy)
    deliver(busy, [{**record, "eventName": "REMOVE", "dynamodb": {"Keys": {}}} for record in records])
    assert stored(busy) == {}


@BOTH
@pytest.mark.exhaustive
def test_a_crash_at_any_call_counts_nothing_twice_and_loses_nothing(busy: Hitl, when: Any) -> None:
    records, as_it_was = stream(busy), busy.checkpoint()
    numbers = deaths(busy, when, lambda: deliver(busy, records))
    assert len(numbers) > 1, "no call is died at"
    for number in numbers:
        as_it_was()
        with crashing(busy, number, when) as calls:
            deliver(busy, records)
        deliver(busy, records)
        assert stored(busy) == expected(busy), f"died {when} {calls.died_at}"


def test_names_as_long_as_may_be_are_counted_too(hitl: Hitl) -> None:
    option = "🎉" * 100
    hitl.ask(emit=[option, "no"], method_name="ü" * 256, flow_name="#" * 256)
    hitl.reply(option)
    deliver(hitl, stream(hitl))
    assert stored(hitl) == expected(hitl)


def test_while_figures_are_rebuilt_events_go_to_both_sets(busy: Hitl) -> None:
    metrics, records = current()._metrics, stream(busy)
    busy.advance(seconds=1)
    begun = Generations().begun(busy.clock.now())
    metrics.save(busy.deployment_id, begun)
    busy.ask(emit=EMIT)
    deliver(busy, [*records, *stream(busy)])
    assert stored(busy, 0) == expected(busy)
    newer = stored(busy, 1)[Bucket(Dimension.TOTAL, ALL_TIME)]
    assert newer == {"created": 1}


@pytest.fixture
def moving(busy: Hitl) -> Iterator[Hitl]:
    """A deployment whose figures begin to be rebuilt between a worker's read and its write."""
    emitter = busy._clients["dynamodb"].meta.events
    moved: list[bool] = []

    def move(**_: Any) -> None:
        if not moved:
            moved.append(True)
            current()._metrics.save(busy.deployment_id, Generations().begun(busy.clock.now()))

    emitter.register("before-call.dynamodb.TransactWriteItems", move)
    yield busy
    emitter.unregister("before-call.dynamodb.TransactWriteItems", move)


def test_a_worker_that_did_not_know_of_a_rebuild_begins_anew(moving: Hitl) -> None:
    busy = moving
    records = stream(busy)
    moment = busy.clock.now()
    deliver(busy, [record for record in records if event_from_item(record["dynamodb"]["NewImage"]).at >= moment])
    assert stored(busy, 0) == stored(busy, 1) != {}


def _dynamodb_is_down(events: Any) -> Any:
    emit = events.emit_until_response

    def refuse(name: str, **more: Any) -> Any:
        if name.startswith("before-send.dynamodb"):
            raise ConnectionError("down")
        return emit(name, **more)

    return refuse
