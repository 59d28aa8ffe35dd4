"""The figures recomputed from the audit log: they agree, and they go on agreeing while events arrive."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.metrics.check_metrics import Difference
from flow_hitl.metrics.metric_store import DynamoMetricStore
from flow_hitl.metrics.metrics import ALL_TIME, Bucket, Dimension
from flow_hitl.metrics.rebuild_metrics import Counted
from flow_hitl.platform.dynamodb import item
from flow_hitl.platform.errors import Conflict, NotFound
from infra.local.hitl_fixture import Hitl, made_once
from tests.support.asserts import EMIT
from tests.support.figures import (
    expected,
    make_busy,
    measure_all,
    opening,
    put_opening,
    settle,
    shown_set,
    spoil,
    store,
    stored,
)

DAY = Bucket(Dimension.TOTAL, "2026-01-14")


@pytest.fixture
def counted(hitl: Hitl) -> Hitl:
    """A deployment with a month of requests, all of them stored, some of them just now."""
    a_month(hitl)
    return hitl


@made_once
def a_month(hitl: Hitl) -> None:
    make_busy(hitl)
    hitl.advance(days=20)
    hitl.ask(emit=EMIT)
    hitl.advance(minutes=3)
    hitl.reply("rejected")
    measure_all(hitl)


def rebuild(hitl: Hitl, progress: Callable[[str], object] = lambda _: None) -> Counted:
    return current().rebuild_metrics.rebuild(hitl.deployment_id, progress)


def differences(hitl: Hitl) -> list[Difference]:
    return list(current().check_metrics(hitl.deployment_id, lambda _: None))


def late(hitl: Hitl, name: str = "late", **changes: Any) -> None:
    """Let an opening that is an hour old come into the log only now."""
    put_opening(hitl, hitl.clock.now() - timedelta(hours=1), changes or opening(), name)


def test_figures_agree_with_the_log(counted: Hitl) -> None:
    assert differences(counted) == []
    assert stored(counted) == expected(counted)


def test_figures_of_a_deployment_agree_before_any_of_them_is_stored(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    assert stored(hitl) == {}
    assert differences(hitl) == []


def test_a_rebuild_has_the_same_figures_in_another_set_and_removes_the_old_one(counted: Hitl) -> None:
    before = shown_set(counted)
    months: list[str] = []
    assert rebuild(counted, months.append) == Counted(added=11, senseless=0)
    assert months == ["2026-01", "2026-02"]
    assert shown_set(counted) != before
    assert stored(counted) == expected(counted)
    assert stored(counted, before) == {}
    assert differences(counted) == []


def test_a_reassigned_request_counts_for_who_has_it_in_the_month_in_which_it_was_opened(hitl: Hitl) -> None:
    hitl.clock.sleep(17 * 86400)
    request = hitl.ask(emit=EMIT, assigned_to_email="ann@example.com")
    hitl.ask(emit=EMIT, assigned_to_email="ann@example.com")
    hitl.advance(days=3)
    path = f"/v1/requests/{request.id}/reassign"
    for to in ("bob@example.com", "ANN@example.com", "Bob@example.com"):
        assert hitl.api("POST", path, {"assigned_to_email": to}).status == 200
    measure_all(hitl)
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
    assert stored(hitl) == expected(hitl)
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
    assert stored(counted) == expected(counted)


def test_an_event_that_came_too_late_is_found_and_mended(counted: Hitl) -> None:
    late(counted)
    settle(counted)
    assert Difference(Bucket(Dimension.TOTAL, ALL_TIME), "created", shown=6, logged=7) in differences(counted)
    rebuild(counted)
    assert stored(counted) == expected(counted)
    assert differences(counted) == []


def test_what_happens_during_a_rebuild_is_counted_once(counted: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time and again something new happens and is stored in the set that is shown."""
    monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", 7)
    fold, calls = DynamoMetricStore.fold, []

    def happen(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) in (2, 5, 6):
            counted.ask(emit=EMIT)
            measure_all(counted)
        return fold(*arguments)

    monkeypatch.setattr(DynamoMetricStore, "fold", happen)
    rebuild(counted)
    monkeypatch.setattr(DynamoMetricStore, "fold", fold)
    assert len(calls) > 6
    measure_all(counted)
    assert stored(counted) == expected(counted)
    assert differences(counted) == []


def test_a_rebuild_that_was_interrupted_is_finished_by_itself(counted: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", 7)
    spoil(counted, DAY, "created", 3)
    before = stored(counted)
    with pytest.raises(KeyboardInterrupt):
        rebuild(counted, die)
    assert stored(counted) == before
    counted.ask(emit=EMIT)
    measure_all(counted)
    assert stored(counted) == expected(counted)
    assert not current()._metrics.generations(counted.deployment_id).is_unfinished


def test_a_rebuild_that_was_interrupted_can_be_begun_anew(counted: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", 7)
    with pytest.raises(KeyboardInterrupt):
        rebuild(counted, die)
    building = current()._metrics.generations(counted.deployment_id).building
    assert building is not None
    assert stored(counted, building.number) != {}
    assert rebuild(counted) == Counted(added=11, senseless=0)
    assert stored(counted) == expected(counted)
    assert stored(counted, building.number) == {}


def test_of_two_rebuilds_at_once_the_second_wins_and_the_first_says_so(
    counted: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", 7)
    with pytest.raises(Conflict):
        rebuild(counted, lambda _: rebuild(counted))
    assert stored(counted) == expected(counted)
    assert differences(counted) == []


def test_a_rebuild_goes_on_beside_the_scheduled_runs(counted: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    """They work at the same set: whoever comes second reads again how far it is."""
    monkeypatch.setattr("flow_hitl.metrics.metrics._MOST_SEEN", 3)
    fold, calls = DynamoMetricStore.fold, []

    def beside(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) in (2, 9):
            counted.measure()
        return fold(*arguments)

    monkeypatch.setattr(DynamoMetricStore, "fold", beside)
    assert rebuild(counted) == Counted(added=11, senseless=0)
    assert stored(counted) == expected(counted)


def test_the_check_of_a_busy_deployment_does_not_take_growth_for_a_difference(
    counted: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, asked = DynamoMetricStore.contents, []

    def grow(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) in (1, 6):
            request = counted.ask(emit=EMIT, assigned_to_email="x@example.com")
            path = f"/v1/requests/{request.id}/reassign"
            assert counted.api("POST", path, {"assigned_to_email": "y@example.com"}).status == 200
            measure_all(counted)
        return read(*arguments)

    monkeypatch.setattr(DynamoMetricStore, "contents", grow)
    assert differences(counted) == []
    assert len(asked) > 6


def test_figures_that_are_replaced_during_a_check_are_not_compared(
    counted: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict):
        list(current().check_metrics(counted.deployment_id, lambda _: rebuild(counted)))


def test_figures_of_an_earlier_version_are_rebuilt_by_themselves(hitl: Hitl) -> None:
    """They were counted one by one from a stream, and say of no event whether it is among them."""
    make_busy(hitl)
    store(hitl, expected(hitl), 0)
    spoil(hitl, DAY, "created", 3)
    with pytest.raises(Conflict):
        differences(hitl)
    measure_all(hitl)
    assert stored(hitl) == expected(hitl)
    assert stored(hitl, 0) == {}
    assert differences(hitl) == []


def test_a_set_that_an_earlier_version_was_building_is_replaced(hitl: Hitl) -> None:
    make_busy(hitl)
    store(hitl, expected(hitl), 3)
    doc = (
        '{"live":{"number":3,"since":"2026-01-14T09:00:00Z"},"building":{"number":5,"since":"2026-01-14T10:00:00Z"},'
        '"discarded":[1],"version":5}'
    )
    record = {"pk": f"metrics#{hitl.deployment_id}", "sk": "generations", "doc": doc, "version": 5}
    hitl._clients["dynamodb"].put_item(TableName=current().settings.deployments_table, Item=item(record))
    store(hitl, {DAY: expected(hitl)[DAY]}, 5)
    assert shown_set(hitl) == 3
    measure_all(hitl)
    assert shown_set(hitl) == 6
    assert stored(hitl) == expected(hitl)
    assert stored(hitl, 3) == stored(hitl, 5) == {}


def test_another_deployments_events_are_not_read(counted: Hitl) -> None:
    other = current().manage_deployments.create(name="Other", creator_email="o@example.com", organization_id=1)
    assert current().rebuild_metrics.rebuild(other.deployment_id, lambda _: None) == Counted(0, 0)
    assert list(current().check_metrics(other.deployment_id, lambda _: None)) == []


def test_an_event_that_makes_no_sense_is_said_and_left_out(counted: Hitl) -> None:
    before = expected(counted)
    late(counted, "broken", nothing="of use")
    assert rebuild(counted) == Counted(added=11, senseless=1)
    assert stored(counted) == before
    assert differences(counted) == []


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
