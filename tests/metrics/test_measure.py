"""How events of the audit log become stored figures: each once, whatever dies, comes late, or is broken."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_hitl.audit.index import IndexedEvent
from flow_hitl.bootstrap import current
from flow_hitl.metrics import fold_events
from flow_hitl.metrics.keep_figures import Behind
from flow_hitl.metrics.measured_log import MeasuredLog
from flow_hitl.metrics.metric_store import DynamoMetricStore
from flow_hitl.metrics.metrics import ALL_TIME, Bucket, Dimension, Position, Seen, cuts, measure, merged
from flow_hitl.platform.errors import Conflict
from infra.local.hitl_fixture import Hitl, made_once
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import crashing, deaths, watched
from tests.support.figures import (
    expected,
    figures_of,
    make_busy,
    measure_all,
    measure_before,
    opening,
    put_opening,
    requests_of,
    settle,
    stored,
)
from tests.support.slices import WHOLE
from tests.support.units import counted

BOTH = pytest.mark.parametrize("when", ["before", "after"])


@pytest.fixture
def busy(hitl: Hitl) -> Hitl:
    """A deployment in which some things have happened that nobody has stored."""
    some_things(hitl)
    return hitl


some_things = made_once(make_busy)


def test_every_event_is_in_every_figure_it_belongs_to(busy: Hitl) -> None:
    measure_all(busy)
    assert stored(busy) == expected(busy)
    assert stored(busy)[Bucket(Dimension.TOTAL, ALL_TIME)] == {"created": 5, "responded": 3, "cancelled": 1}


def test_what_is_stored_is_not_stored_again(busy: Hitl) -> None:
    for _ in range(3):
        measure_all(busy)
        assert stored(busy) == expected(busy)


def test_events_are_stored_when_nothing_can_come_before_them_any_more(busy: Hitl) -> None:
    before = expected(busy)
    measure_all(busy)
    opened_at = busy.clock.now()
    busy.ask(emit=EMIT)
    rebuild(busy)
    assert stored(busy) == before
    busy.clock.sleep(9 * 60)
    # Somebody's clock is slow, or the index late.
    put_opening(busy, opened_at + timedelta(minutes=1), opening())
    busy.clock.sleep(3 * 60)
    rebuild(busy)
    assert stored(busy) == expected(busy)


def test_an_event_dated_in_the_future_waits_until_then(busy: Hitl) -> None:
    put_opening(busy, busy.clock.now() + timedelta(days=3), opening())
    before = expected(busy, busy.clock.now() + timedelta(hours=1))
    measure_all(busy)
    assert stored(busy) == before
    busy.clock.sleep(3 * 86400)
    measure_all(busy)
    assert stored(busy) == expected(busy) != before


def test_a_few_events_are_stored_together_when_their_day_is_over(busy: Hitl) -> None:
    measure_all(busy)
    first = stored(busy)
    busy.ask(emit=EMIT)
    busy.clock.sleep(3600)
    busy.measure()
    assert stored(busy) == first
    measure_all(busy)
    assert stored(busy) == expected(busy) != first


def test_many_events_are_stored_at_once(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_events, "_ENOUGH", 10)
    measure_all(busy)
    for _ in range(5):
        busy.ask(emit=EMIT)
        busy.measure()
    busy.clock.sleep(11 * 60)
    busy.measure()
    assert stored(busy) == expected(busy)


def test_equal_requests_share_their_writes_and_a_request_itself_writes_nothing_for_figures(hitl: Hitl) -> None:
    measure_all(hitl)
    with counted() as units:
        for _ in range(30):
            callback(hitl, hitl.ask(emit=EMIT))
    figures = {"deployments position", "deployments day", "deployments month", "deployments generations"}
    assert not figures & set(units.written)
    settle(hitl)
    with counted() as units:
        hitl.measure()
    # The total of all time; and the total, a reviewer, a flow, and a method, the three with their outcome.
    # The place is written before and after them.
    assert units.written == {"deployments position": 2, "deployments day": 1 + 7, "deployments month": 7}
    assert stored(hitl) == expected(hitl)


def test_an_idle_deployment_costs_a_few_reads_and_a_write_a_day(busy: Hitl) -> None:
    measure_all(busy)
    for day in range(3):
        writes = 0
        for _ in range(24):
            busy.clock.sleep(3600)
            with watched(busy) as calls:
                busy.measure()
            reads = [one for one in calls.operations if one.endswith((".Query", ".GetItem", ".BatchGetItem"))]
            changes = [one for one in calls.operations if one.endswith((".TransactWriteItems", ".PutItem"))]
            # The list of deployments, which sets there are, and a day's four parts; when a day is over those of two.
            figures = 2 + 4 if not changes else 2 + 8
            # The list again, how far the search log has come, and what it lacks in each of four shards.
            assert len(reads) == figures + 1 + 1 + 4, day
            writes += len(changes)
        assert writes == 1


def test_each_bucket_of_many_reviewers_is_written_once(hitl: Hitl) -> None:
    measure_all(hitl)
    for number in range(200):
        at = hitl.clock.now() + timedelta(seconds=number)
        put_opening(hitl, at, opening(assigned_to_email=f"{number % 60}@example.com"), str(number))
    settle(hitl)
    with counted() as units:
        hitl.measure()
    assert units.written == {"deployments position": 2, "deployments day": 2 + 60 + 2, "deployments month": 1 + 60 + 2}
    assert stored(hitl) == expected(hitl)


def test_runs_that_die_again_and_again_in_one_cut_come_to_its_end(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_all(hitl)
    for number in range(200):
        at = hitl.clock.now() + timedelta(seconds=number)
        put_opening(hitl, at, opening(assigned_to_email=f"{number}@example.com"), str(number))
    settle(hitl)
    runs = 0
    with counted() as units:
        while stored(hitl) != expected(hitl):
            runs += 1
            with monkeypatch.context() as stopped:
                stopped.setattr(DynamoMetricStore, "_add", _only(100))
                hitl.measure()
            assert runs < 10, "each run began the cut anew"
    assert runs == 5
    written = units.written["deployments day"] + units.written["deployments month"]
    assert written == (2 + 200 + 2) + (1 + 200 + 2), "a bucket was written more than once"


@pytest.mark.parametrize("written", [0, 1, 7, 10_000])
def test_a_cut_that_some_buckets_have_is_read_right_and_finished(
    busy: Hitl, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_all(busy)
    busy.ask(emit=EMIT)
    busy.reply("rejected")
    path = f"/v1/deployments/{busy.deployment_id}/analytics?from=2026-01-01"
    settle(busy)
    before = busy.api("GET", path).json
    with monkeypatch.context() as stopped:
        stopped.setattr(DynamoMetricStore, "_add", _only(written))
        if written > 1000:
            stopped.setattr(DynamoMetricStore, "_move", _first_move_only())
        busy.measure()
    progress = current()._metrics.generations(busy.deployment_id).live.progress
    assert progress is not None
    assert progress.ahead is not None
    assert busy.api("GET", path).json == before
    # This is none of the cut's events.
    busy.ask(emit=EMIT)
    now = busy.api("GET", path).json
    assert now["totals"] == before["totals"] | {"created": before["totals"]["created"] + 1}
    assert now["pending_now"] == before["pending_now"] + 1
    with pytest.raises(Conflict):
        list(current().check_metrics(busy.deployment_id, lambda _: None))
    as_run_again(busy)
    assert busy.api("GET", path).json == now
    assert stored(busy) == expected(busy, busy.clock.now() - timedelta(minutes=10))
    measure_all(busy)
    assert stored(busy) == expected(busy)


def test_a_run_that_comes_into_another_ones_cut_finishes_it(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_all(busy)
    busy.ask(emit=EMIT)
    settle(busy)
    add, calls = DynamoMetricStore._add, []

    def beside(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 4:
            busy.measure()
        return add(*arguments)

    monkeypatch.setattr(DynamoMetricStore, "_add", beside)
    assert not [one for one in current().keep_figures() if isinstance(one, Behind)]
    assert len(calls) > 9
    assert stored(busy) == expected(busy)


def _only(number: int) -> Callable[..., Any]:
    add, calls = DynamoMetricStore._add, []

    def some(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) > number:
            raise RuntimeError("stopped")
        add(*arguments)

    return some


def _first_move_only() -> Callable[..., Any]:
    move, calls = DynamoMetricStore._move, []

    def first(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) > 1:
            raise RuntimeError("stopped")
        return move(*arguments)

    return first


@pytest.mark.parametrize(
    "data",
    [
        {},
        "nothing",
        opening(flow_name=7),
        opening(method_name=None),
        opening(flow_name="x" * 5000),
    ],
)
def test_an_event_that_makes_no_sense_is_told_and_holds_up_no_other(
    busy: Hitl, data: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    before = expected(busy)
    put_opening(busy, busy.clock.now() - timedelta(minutes=15), data)
    measure_all(busy)
    assert stored(busy) == before
    found = capsys.readouterr().out
    assert "EventNotCounted" in found
    assert "request#broken#1" in found
    assert "FiguresKept" in found
    measure_all(busy)
    assert "EventNotCounted" not in capsys.readouterr().out


def test_what_cannot_be_stored_now_is_stored_later_and_is_told(
    busy: Hitl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    settle(busy)
    with monkeypatch.context() as broken:
        broken.setattr(DynamoMetricStore, "fold", _raise(ConnectionError("down")))
        busy.measure()
    assert "FiguresKept" not in capsys.readouterr().out
    busy.measure()
    assert "FiguresKept" in capsys.readouterr().out
    assert stored(busy) == expected(busy)


def test_a_deployment_that_fails_holds_up_no_other(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_all(busy)
    others = [
        current().manage_deployments.create(name="x", creator_email="o@example.com", organization_id=1).deployment_id
        for _ in range(2)
    ]
    busy.ask(emit=EMIT)
    settle(busy)
    read = MeasuredLog.after

    def fail(self: Any, deployment_id: int, *more: Any, **options: Any) -> Any:
        if deployment_id in others:
            raise RuntimeError("broken")
        return read(self, deployment_id, *more, **options)

    monkeypatch.setattr(MeasuredLog, "after", fail)
    behind = {one.deployment_id for one in current().keep_figures() if isinstance(one, Behind)}
    assert behind == set(others)
    assert stored(busy) == expected(busy)


def test_each_run_begins_with_another_deployment(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        current().manage_deployments.create(name="x", creator_email="o@example.com", organization_id=1)
    first = set()
    for _ in range(3):
        busy.clock.sleep(300)
        with monkeypatch.context() as broken:
            broken.setattr(DynamoMetricStore, "generations", _raise(RuntimeError()))
            first.add(next(iter(current().keep_figures())).deployment_id)
    assert first == {1, 2, 3}


def test_a_run_that_has_no_time_left_is_gone_on_with(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_all(busy)
    for number in range(40):
        put_opening(busy, busy.clock.now() + timedelta(hours=number), opening(method_name=f"m{number}"), str(number))
    busy.clock.sleep(48 * 3600)
    fold = DynamoMetricStore.fold

    def slow(*arguments: Any) -> Any:
        busy.clock.sleep(100)
        return fold(*arguments)

    monkeypatch.setattr(DynamoMetricStore, "fold", slow)
    monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", 5)
    runs = 0
    while any(isinstance(one, Behind) for one in current().keep_figures()):
        runs += 1
    assert runs > 2
    assert stored(busy) == expected(busy)


def test_two_runs_at_once_count_each_event_once(busy: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_all(busy)
    busy.ask(emit=EMIT)
    settle(busy)
    measure_before(monkeypatch, busy, "fold")
    assert not [one for one in current().keep_figures() if isinstance(one, Behind)]
    assert stored(busy) == expected(busy)


@BOTH
@pytest.mark.exhaustive
def test_a_crash_at_any_call_counts_nothing_twice_and_loses_nothing(busy: Hitl, when: Any) -> None:
    measure_all(busy)
    busy.ask(emit=EMIT)
    busy.reply("rejected")
    settle(busy)
    _crash_everywhere(busy, when)


@BOTH
@pytest.mark.exhaustive
def test_a_crash_while_a_set_is_built_counts_nothing_twice_and_loses_nothing(busy: Hitl, when: Any) -> None:
    settle(busy)
    _crash_everywhere(busy, when)


def _crash_everywhere(busy: Hitl, when: Any) -> None:
    as_it_was = busy.checkpoint()
    numbers = deaths(busy, when, busy.measure)
    assert len(numbers) > 1, "no call is died at"
    for number in numbers:
        as_it_was()
        with crashing(busy, number, when) as calls:
            busy.measure()
        as_run_again(busy)
        assert stored(busy) == expected(busy), f"died {when} {calls.died_at}"
        assert not current()._metrics.generations(busy.deployment_id).is_unfinished


def as_run_again(hitl: Hitl) -> None:
    hitl.clock.sleep(300)
    assert not [one for one in current().keep_figures() if isinstance(one, Behind)]


def test_names_as_long_as_may_be_are_counted_too(hitl: Hitl) -> None:
    option = "🎉" * 100
    hitl.ask(emit=[option, "no"], method_name="ü" * 256, flow_name="#" * 256)
    hitl.reply(option)
    measure_all(hitl)
    assert stored(hitl) == expected(hitl)


def test_sets_that_are_not_shown_any_more_take_nothing(busy: Hitl) -> None:
    measure_all(busy)
    metrics = current()._metrics
    old = metrics.generations(busy.deployment_id).live
    rebuild(busy)
    assert old.progress is not None
    (cut,) = cuts([Seen(old.progress.position, {Bucket(Dimension.TOTAL, ALL_TIME): {"created": 1}})])
    with pytest.raises(Conflict):
        metrics.fold(busy.deployment_id, old.number, old.progress, cut)
    assert stored(busy, old.number) == {}


EVENTS = [
    event
    for event in requests_of(datetime(2026, 1, 30, tzinfo=UTC), days=4, count=60, clock_every=7)
    if measure(event) is not None
]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_cuts_add_up_and_lose_no_place(seed: int, count: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    events = sorted(chance.choices(EVENTS, k=count), key=lambda event: event.at)
    seen = []
    for number, event in enumerate(events):
        position = Position.behind(IndexedEvent(1, f"request#{number}", 1, event.at, "h"))
        measured = None if chance.random() < 0.2 else measure(event)
        broken = chance.random() < 0.1
        seen.append(Seen(position, None if broken or not measured else measured.tallies, "x" if broken else None))
    made = list(cuts(seen))
    assert merged(cut.tallies for cut in made) == merged(one.tallies or {} for one in seen)
    assert sum(cut.events for cut in made) == sum(one.tallies is not None for one in seen)
    assert sum(len(cut.senseless) for cut in made) == sum(one.senseless is not None for one in seen)
    assert all(len(tally) <= 250 for cut in made for tally in cut.tallies.values())
    places = [one.position for one in seen]
    assert [cut.position for cut in made] == [place for place in places if place in {cut.position for cut in made}]
    assert made[-1].position == places[-1]


@pytest.mark.exhaustive
def test_wherever_runs_stop_the_sums_are_those_of_the_log(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    start = hitl.clock.now()
    for number in range(50):
        put_opening(hitl, start + timedelta(minutes=37 * number), opening(method_name=f"m{number % 7}"), str(number))
    as_it_was = hitl.checkpoint()
    for seed in range(6 if WHOLE else 2):
        as_it_was()
        chance = random.Random(seed)  # noqa: S311 - no secret
        while hitl.clock.now() < start + timedelta(days=3):
            monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", chance.randrange(1, 12))
            monkeypatch.setattr(fold_events, "_ENOUGH", chance.randrange(1, 30))
            hitl.clock.sleep(chance.randrange(1, 20 * 3600))
            _stopped_somewhere(hitl, chance)
        measure_all(hitl)
        assert stored(hitl) == expected(hitl), seed


def _stopped_somewhere(hitl: Hitl, chance: random.Random) -> None:
    left = chance.randrange(0, 12)
    fold = DynamoMetricStore.fold

    def some(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("stopped")
        return fold(*arguments)

    with pytest.MonkeyPatch.context() as stopped:
        stopped.setattr(DynamoMetricStore, "fold", some)
        hitl.measure()


def rebuild(hitl: Hitl) -> None:
    current().rebuild_metrics.rebuild(hitl.deployment_id, lambda _: None)


def _raise(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_the_sums_of_events_are_the_sums_of_their_figures() -> None:
    assert merged([figures_of(EVENTS[:30]), figures_of(EVENTS[30:])]) == figures_of(EVENTS)
