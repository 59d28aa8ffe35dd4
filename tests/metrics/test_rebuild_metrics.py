"""The figures recomputed from the audit log: they agree, and they go on agreeing while events arrive."""

from collections.abc import Callable
from typing import Any

import pytest

from flow_hitl.audit.audit_log import put_event
from flow_hitl.audit.chain import EventKind, next_event, request_subject
from flow_hitl.bootstrap import current
from flow_hitl.metrics.metrics import ALL_TIME, Bucket, Dimension
from flow_hitl.metrics.rebuild_metrics import Counted, Difference
from flow_hitl.platform.errors import Conflict, NotFound
from infra.local.hitl_fixture import Hitl, made_once
from tests.support.asserts import EMIT
from tests.support.figures import deliver, expected, make_busy, stored, stream

DAY = Bucket(Dimension.TOTAL, "2026-01-14")


@pytest.fixture
def counted(hitl: Hitl) -> Hitl:
    """A deployment with a month of requests, all of them counted, some of them just now."""
    a_month(hitl)
    return hitl


@made_once
def a_month(hitl: Hitl) -> None:
    make_busy(hitl)
    hitl.advance(days=20)
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=3)
    hitl.reply("rejected")
    deliver(hitl, stream(hitl))


def rebuild(hitl: Hitl, progress: Callable[[str], object] = lambda _: None) -> Counted:
    return current().rebuild_metrics.rebuild(hitl.deployment_id, progress)


def differences(hitl: Hitl) -> list[Difference]:
    return list(current().rebuild_metrics.differences(hitl.deployment_id, lambda _: None))


def live(hitl: Hitl) -> int:
    return current()._metrics.generations(hitl.deployment_id).live.number


def spoil(hitl: Hitl, bucket: Bucket, counter: str, by: int) -> None:
    metrics = current()._metrics
    generations = metrics.generations(hitl.deployment_id)
    metrics.add(hitl.deployment_id, generations, generations.live.number, {bucket: {counter: by}}, "spoilt")


def test_figures_that_were_counted_live_agree_with_the_log(counted: Hitl) -> None:
    assert differences(counted) == []
    assert stored(counted) == expected(counted)


def test_a_rebuild_has_the_same_figures_in_another_set_and_removes_the_old_one(counted: Hitl) -> None:
    months: list[str] = []
    assert rebuild(counted, months.append) == Counted(added=11, senseless=0)
    assert months == ["2026-01", "2026-02"]
    assert live(counted) != 0
    assert stored(counted, live(counted)) == expected(counted)
    assert stored(counted, 0) == {}
    assert differences(counted) == []


def test_a_reassigned_request_counts_for_who_has_it_in_the_month_in_which_it_was_opened(hitl: Hitl) -> None:
    hitl.clock.sleep(17 * 86400)
    request = hitl.ask(emit=EMIT, assigned_to_email="ann@example.com")
    hitl.ask(emit=EMIT, assigned_to_email="ann@example.com")
    hitl.advance(days=3)
    path = f"/v1/requests/{request.id}/reassign"
    for to in ("bob@example.com", "ANN@example.com", "Bob@example.com"):
        assert hitl.api("POST", path, {"assigned_to_email": to}).status == 200
    records = stream(hitl)
    deliver(hitl, records)
    deliver(hitl, records)
    opened = {
        (bucket.period, bucket.value): tally["created"]
        for bucket, tally in stored(hitl).items()
        if bucket.dimension is Dimension.REVIEWER
    }
    whose = {"ann@example.com": 1, "bob@example.com": 1}
    assert opened == {(period, person): n for period in ("2026-01", "2026-01-31") for person, n in whose.items()}
    assert stored(hitl)[Bucket(Dimension.TOTAL, ALL_TIME)]["created"] == 2
    assert stored(hitl) == expected(hitl)
    assert differences(hitl) == []
    rebuild(hitl)
    assert stored(hitl, live(hitl)) == expected(hitl)
    assert differences(hitl) == []
    spoil(hitl, Bucket(Dimension.REVIEWER, "2026-01", "ann@example.com"), "created", 1)
    assert len(differences(hitl)) == 1


def test_wrong_figures_are_named_and_mended(counted: Hitl) -> None:
    spoil(counted, DAY, "created", 3)
    spoil(counted, Bucket(Dimension.FLOW, "2026-01", "Nobody's", "approved"), "responded", 1)
    assert differences(counted) == [
        Difference(Bucket(Dimension.FLOW, "2026-01", "Nobody's", "approved"), "responded", shown=1, logged=0),
        Difference(DAY, "created", shown=8, logged=5),
    ]
    rebuild(counted)
    assert differences(counted) == []
    assert stored(counted, live(counted)) == expected(counted)


def test_events_that_were_lost_are_found_in_the_log(hitl: Hitl) -> None:
    make_busy(hitl)
    stream(hitl)
    assert Difference(Bucket(Dimension.TOTAL, ALL_TIME), "created", shown=0, logged=5) in differences(hitl)
    rebuild(hitl)
    assert stored(hitl, live(hitl)) == expected(hitl)


def test_what_happens_during_a_rebuild_is_counted_once(counted: Hitl) -> None:
    """Time and again something new happens and is measured, some of it late and twice."""
    emitter = counted._clients["dynamodb"].meta.events
    busy: list[bool] = []
    late: list[Any] = []
    calls: list[Any] = []

    def happen(params: Any, **_: Any) -> None:
        calls.append(params)
        if busy or len(calls) % 25:
            return
        busy.append(True)
        counted.ask(emit=EMIT)
        fresh = stream(counted)
        deliver(counted, [*fresh[::2], *late])
        late[:] = fresh
        busy.clear()

    for operation in ("TransactWriteItems", "PutItem", "Query"):
        emitter.register(f"before-call.dynamodb.{operation}", happen)
    rebuild(counted)
    for operation in ("TransactWriteItems", "PutItem", "Query"):
        emitter.unregister(f"before-call.dynamodb.{operation}", happen)
    deliver(counted, [*late, *stream(counted)])
    assert len(calls) > 100
    assert stored(counted, live(counted)) == expected(counted)
    assert differences(counted) == []


def test_events_that_wait_in_a_queue_during_a_rebuild_are_not_counted_twice_after_it(hitl: Hitl) -> None:
    make_busy(hitl)
    waiting = stream(hitl)
    hitl.advance(days=2)
    make_busy(hitl)
    rebuild(hitl)
    deliver(hitl, waiting)
    deliver(hitl, stream(hitl))
    assert stored(hitl, live(hitl)) == expected(hitl)


def test_a_rebuild_that_was_interrupted_is_begun_anew(counted: Hitl) -> None:
    def die(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(counted, die)
    counted.ask(emit=EMIT)
    deliver(counted, stream(counted))
    assert stored(counted, 0) == expected(counted)
    abandoned = current()._metrics.generations(counted.deployment_id).growing[-1].number
    assert stored(counted, abandoned) != {}
    rebuild(counted)
    assert stored(counted, live(counted)) == expected(counted)
    assert stored(counted, 0) == stored(counted, abandoned) == {}


def test_of_two_rebuilds_at_once_the_second_wins_and_the_first_says_so(counted: Hitl) -> None:
    with pytest.raises(Conflict):
        rebuild(counted, lambda _: rebuild(counted))
    assert stored(counted, live(counted)) == expected(counted)
    assert differences(counted) == []


def test_the_check_of_a_busy_deployment_does_not_take_growth_for_a_difference(counted: Hitl) -> None:
    emitter = counted._clients["dynamodb"].meta.events
    asked: list[bool] = []

    def happen(**_: Any) -> None:
        if len(asked) < 3:
            asked.append(True)
            counted.ask(emit=EMIT)
            deliver(counted, stream(counted))

    emitter.register("before-call.dynamodb.BatchGetItem", happen)
    found = differences(counted)
    emitter.unregister("before-call.dynamodb.BatchGetItem", happen)
    assert len(asked) == 3
    assert found == []


def test_another_deployments_events_are_not_read(counted: Hitl) -> None:
    other = current().manage_deployments.create(name="Other", creator_email="o@example.com", organization_id=1)
    assert current().rebuild_metrics.rebuild(other.deployment_id, lambda _: None) == Counted(0, 0)


def test_an_event_that_makes_no_sense_is_said_and_left_out(counted: Hitl) -> None:
    broken = next_event(
        subject=request_subject("broken"),
        seq=1,
        prev_hash="0" * 64,
        event_id="broken",
        kind=EventKind.REQUEST_CREATED,
        at=counted.clock.now(),
        actor="flow",
        data={},
    )
    before = expected(counted)
    put = put_event(current().settings.audit_table, broken, counted.deployment_id)["Put"]
    counted._clients["dynamodb"].put_item(TableName=put["TableName"], Item=put["Item"])
    assert rebuild(counted) == Counted(added=11, senseless=1)
    assert stored(counted, live(counted)) == before


def test_a_deployment_that_does_not_exist_is_an_error(hitl: Hitl) -> None:
    for ask in (rebuild, differences):
        hitl.deployment_id = 999
        with pytest.raises(NotFound):
            ask(hitl)


def test_the_page_and_the_api_show_the_new_set(counted: Hitl) -> None:
    path = f"/v1/deployments/{counted.deployment_id}/analytics?from=2026-01-01&to=2026-02-28"
    before = counted.api("GET", path).json
    rebuild(counted)
    assert counted.api("GET", path).json == before
    assert before["totals"]["created"] == 6


def test_many_counters_of_one_bucket_are_written_in_several_updates(hitl: Hitl) -> None:
    metrics = current()._metrics
    tally = {f"bin:{number}": number for number in range(1, 591)}
    others = {Bucket(Dimension.METHOD, "2026-01", f"m{number}"): {"created": 1} for number in range(150)}
    metrics.add(hitl.deployment_id, metrics.generations(hitl.deployment_id), 0, {DAY: tally, **others}, "x")
    assert stored(hitl) == {DAY: tally, **others}


def test_an_addition_whose_answer_was_lost_is_made_once(hitl: Hitl) -> None:
    """DynamoDB knows a transaction again by its token; moto does not, so here only the token is looked at."""
    metrics, tokens = current()._metrics, []
    emitter = hitl._clients["dynamodb"].meta.events

    def look(params: Any, **_: Any) -> None:
        tokens.append(params["body"])

    emitter.register("before-call.dynamodb.TransactWriteItems", look)
    for name in ("2026-01", "2026-01", "2026-02"):
        metrics.add(hitl.deployment_id, metrics.generations(hitl.deployment_id), 0, {DAY: {"created": 1}}, name)
    emitter.unregister("before-call.dynamodb.TransactWriteItems", look)
    assert tokens[0] == tokens[1] != tokens[2]
