"""Lists from the indexes: everybody finds what they may answer, once, in each order; none costs more as it grows."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import DeploymentSettings, Group
from flow_hitl.platform.dynamodb import HEAD, item
from flow_hitl.platform.errors import ValidationFailed
from flow_hitl.requests.ports import RequestFilter, RowPage
from flow_hitl.requests.reading.list_rows import Count, Counts, Order, RequestRow
from flow_hitl.requests.request import Change, Head, Stamp, Status, cancel, decide, delegate, reassign
from flow_hitl.requests.store import request_index
from flow_hitl.requests.store.request_index import entries_of_before, head_entries
from flow_hitl.requests.store.request_rows import DynamoRequestRows
from flow_hitl.requests.store.request_store import DynamoRequestStore
from infra.local.hitl_fixture import Hitl
from tests.support import examples
from tests.support.aws_calls import AwsCall, around_calls
from tests.support.examples import CONTENT, NOON, assigned_to

ANN, BOB, CLEO, DAN = (f"{name}@example.com" for name in ("ann", "bob", "cleo", "dan"))
FINANCE, LEGAL = "group:finance", "legal@example.com"
SETTINGS = DeploymentSettings(
    groups=(Group(members=(ANN, BOB), name="finance"), Group(members=(BOB, CLEO, DAN), address=LEGAL))
)
DEPLOYMENT = examples.deployment(settings=SETTINGS)


@pytest.fixture
def store(hitl: Hitl) -> DynamoRequestStore:
    return current()._requests


@pytest.fixture
def rows(store: DynamoRequestStore) -> DynamoRequestRows:
    return DynamoRequestRows(store._dynamodb, store._table)


@pytest.fixture
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one read of an index end early, as it does in real life after a megabyte."""
    monkeypatch.setattr(request_index, "_READ_AHEAD", 2)


def request_id(number: int) -> str:
    return f"0192f0c1-7e11-7abc-8def-{number:012x}"


def opening(number: int, assignee: str = ANN, **changes: Any) -> Any:
    changes = {"at": NOON + timedelta(seconds=number), **changes}
    return examples.opening(
        request_id=request_id(number),
        event_id=f"{number:032x}",
        deployment=DEPLOYMENT,
        assignment=assigned_to(assignee),
        **changes,
    )


def create(store: DynamoRequestStore, number: int, assignee: str = ANN, **changes: Any) -> Head:
    change = opening(number, assignee, **changes)
    assert store.create(change, changes.get("content", CONTENT), None) is None
    return Head(**vars(change.after))


def step(store: DynamoRequestStore, number: int, make: Callable[[Head], Any]) -> Head:
    change = make(store.head(request_id(number)))
    store.commit(change)
    return Head(**vars(change.after))


def answer(store: DynamoRequestStore, number: int, at: datetime, **changes: Any) -> Head:
    given = examples.answer(decision_id=f"d/{number}", **changes)
    stamp = Stamp(f"{number:x>32}", at, given.actor)
    return step(store, number, lambda head: decide(head, given, examples.CONTENT, stamp=stamp))


def give(store: DynamoRequestStore, to: str, settings: DeploymentSettings = SETTINGS) -> Head:
    by = Stamp(f"{to:x>32}", NOON, "api_key/1")
    return step(store, 1, lambda head: reassign(head, to, "reassigned", settings, stamp=by))


def page(rows: DynamoRequestRows, *people: str, order: Order = Order.NEWEST, **options: Any) -> RowPage:
    wanted = RequestFilter(statuses=options.pop("statuses", ()), assigned_to=people)
    arguments = {"limit": 100, "cursor": None, **options}
    return rows.page(456, replace(wanted, **arguments.pop("also", {})), order=order, **arguments)


def numbers(found: RowPage) -> list[int]:
    return [int(row.request_id.rpartition("-")[2], 16) for row in found.rows]


def all_pages(rows: DynamoRequestRows, *people: str, limit: int, **options: Any) -> list[int]:
    shown: list[int] = []
    cursor: str | None = None
    for _ in range(300):
        found = page(rows, *people, limit=limit, cursor=cursor, **options)
        assert len(found.rows) <= limit
        shown += numbers(found)
        cursor = found.next_cursor
        if cursor is None:
            return shown
    raise AssertionError("the pages never end")


@contextmanager
def counted(store: DynamoRequestStore) -> Iterator[Counter[str]]:
    """Count the calls of DynamoDB, and the items that they look at."""
    counts: Counter[str] = Counter()

    def look(call: AwsCall, make: Callable[[], Any]) -> Any:
        answer = make()
        if call.service == "dynamodb":
            counts[call.operation] += 1
            counts["scanned"] += answer.get("ScannedCount", 0)
        return answer

    with around_calls(look):
        yield counts


# --- what a row says


def test_a_row_says_what_a_list_shows(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    at = NOON + timedelta(microseconds=7)
    message = "Fit to print?\n\n" + "word " * 100
    create(
        store,
        1,
        content=replace(CONTENT, message=message),
        sla_target_minutes=5,
        at=at,
        created_by="me@example.com",
        test=True,
    )
    pending = RequestRow(
        request_id=request_id(1),
        status=Status.PENDING,
        created_at=at,
        flow_name="ContentApprovalFlow",
        method_name="review_article",
        summary="Review article · amount 12\n" + ("Fit to print? " + "word " * 100)[:134],
        assigned_to_email=ANN,
        sla_due_at=NOON + timedelta(minutes=5, seconds=1),
        outcome=None,
        responded_via=None,
        decided_at=None,
        test=True,
    )
    for people in ((), (ANN,)):
        for order in Order:
            assert page(rows, *people, order=order).rows == [pending]
    later = NOON + timedelta(minutes=3)
    answer(store, 1, later)
    decided = replace(
        pending, status=Status.RESPONDED, outcome="approved", responded_via=Channel.EMAIL, decided_at=later
    )
    assert page(rows, statuses=("responded",)).rows == page(rows, ANN).rows == [decided]
    assert page(rows, order=Order.DUE).rows == page(rows, ANN, order=Order.DUE).rows == []


def test_what_has_no_flow_name_no_sla_and_a_short_message(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    create(store, 1, flow_name=None)
    (row,) = page(rows).rows
    assert (row.flow_name, row.sla_due_at, row.message, row.test) == (None, None, "Publish?", False)
    assert row.title == "Review article · amount 12"


def test_a_row_of_before_requests_had_titles_is_called_by_its_method(
    store: DynamoRequestStore, rows: DynamoRequestRows
) -> None:
    create(store, 1, content=replace(CONTENT, state={}))
    (row,) = page(rows).rows
    assert (row.summary, row.title, row.message) == ("Publish?", "Review article", "Publish?")


def test_a_long_title_leaves_room_for_the_message_in_a_list(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    create(store, 1, content=replace(CONTENT, title="t" * 200, message="m" * 200))
    (row,) = page(rows).rows
    assert row.title == "t" * 99 + "…"
    assert row.message == "m" * 60


def test_a_list_loads_nothing(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    for number in range(10):
        create(store, number)
    with counted(store) as calls:
        assert numbers(page(rows, limit=5)) == [9, 8, 7, 6, 5]
        assert numbers(page(rows, ANN, statuses=("pending",), limit=5)) == [9, 8, 7, 6, 5]
    assert calls == {"Query": 4 + 1, "scanned": calls["scanned"]}
    assert calls["scanned"] <= 10 + 6


# --- in which order


@pytest.mark.usefixtures("small_reads")
@pytest.mark.parametrize("people", [(), (ANN,), (ANN, BOB, CLEO)])
def test_in_every_order_pages_show_everything_once(
    store: DynamoRequestStore, rows: DynamoRequestRows, people: tuple[str, ...]
) -> None:
    random = Random(len(people))  # noqa: S311 - the same in every run
    heads = {}
    for number in range(12):
        assignee = random.choice([ANN, BOB, CLEO, DAN, FINANCE, LEGAL])
        at = NOON + timedelta(seconds=random.randrange(8), microseconds=random.randrange(3))
        sla = random.choice([None, 1, 2])
        head = create(store, number, assignee, at=at, sla_target_minutes=sla, method_name=random.choice("ab"))
        if number % 5 == 4:
            head = answer(store, number, at)
        heads[number] = head
    mine = {
        n: head for n, head in heads.items() if not people or {*head.responders, head.assigned_to_email} & {*people}
    }
    newest = sorted(mine, key=lambda n: (mine[n].created_at, mine[n].request_id), reverse=True)
    pending = [n for n in reversed(newest) if mine[n].status is Status.PENDING]
    soonest = sorted((n for n in pending if mine[n].sla_due_at), key=lambda n: (mine[n].sla_due_at, n))
    soonest += [n for n in pending if not mine[n].sla_due_at]
    for limit in (2, 100):
        assert all_pages(rows, *people, limit=limit) == newest
        assert all_pages(rows, *people, limit=limit, order=Order.OLDEST) == newest[::-1]
        assert all_pages(rows, *people, limit=limit, order=Order.DUE) == soonest
        history = [n for n in newest if n not in pending]
        assert all_pages(rows, *people, limit=limit, statuses=("responded", "cancelled")) == history
        only_a = [n for n in newest if mine[n].method_name == "a"]
        assert all_pages(rows, *people, limit=limit, also={"method_name": "a"}) == only_a


def test_a_stretch_of_time_is_kept_to_in_every_order(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    for number in range(6):
        create(store, number, sla_target_minutes=1 if number % 2 else None)
    stretch = {"created_from": NOON + timedelta(seconds=1), "created_to": NOON + timedelta(seconds=4)}
    for people in ((), (ANN,)):
        assert numbers(page(rows, *people, also=stretch)) == [4, 3, 2, 1]
        assert numbers(page(rows, *people, also=stretch, order=Order.OLDEST)) == [1, 2, 3, 4]
        assert numbers(page(rows, *people, also=stretch, order=Order.DUE)) == [1, 3, 2, 4]
        never = {"created_from": stretch["created_to"], "created_to": stretch["created_from"]}
        assert [numbers(page(rows, *people, also=never, order=order)) for order in Order] == [[], [], []]


def test_a_cursor_is_for_the_order_it_came_with(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    for number in range(3):
        create(store, number)
    for order in Order:
        cursor = page(rows, order=order, limit=1).next_cursor
        for other in set(Order) - {order}:
            with pytest.raises(ValidationFailed, match="is not valid; start again"):
                page(rows, order=other, cursor=cursor)
    for foreign in ("", "x", store.list_requests(456, RequestFilter(), 1, None).next_cursor):
        with pytest.raises(ValidationFailed, match="is not valid; start again"):
            page(rows, cursor=foreign)


# --- on whose desk


def test_a_group_request_is_on_the_desk_of_each_of_its_people(
    store: DynamoRequestStore, rows: DynamoRequestRows
) -> None:
    create(store, 1, FINANCE)
    create(store, 2, LEGAL)
    create(store, 3, BOB)
    found = {name: numbers(page(rows, name)) for name in (ANN, BOB, CLEO, DAN, FINANCE, LEGAL)}
    assert found == {ANN: [1], BOB: [3, 2, 1], CLEO: [2], DAN: [2], FINANCE: [1], LEGAL: [2]}
    assert {row.assigned_to_email for row in page(rows, BOB).rows} == {BOB, LEGAL, FINANCE}
    assert numbers(page(rows, ANN, CLEO, FINANCE, LEGAL)) == [2, 1], "each once, under however many names"
    answer(store, 2, NOON, responder=CLEO)
    for name in (BOB, CLEO, DAN, LEGAL):
        assert 2 in numbers(page(rows, name, statuses=("responded",)))
        assert 2 not in numbers(page(rows, name, statuses=("pending",)))


def test_addresses_are_the_same_up_to_ascii_case_and_group_names_are_not(
    store: DynamoRequestStore, rows: DynamoRequestRows
) -> None:
    create(store, 1, "Ann@Example.com")
    create(store, 2, FINANCE)
    assert numbers(page(rows, "aNN@example.COM")) == [2, 1]
    assert numbers(page(rows, "group:Finance")) == []
    assert numbers(page(rows, "\u212aann@example.com")) == [], "a Kelvin sign is no k"
    assert page(rows, ANN).rows[1].assigned_to_email == "Ann@Example.com"


def test_who_is_no_longer_asked_no_longer_finds_it(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    def listed(name: str) -> bool:
        return bool(store.list_requests(456, RequestFilter(assigned_to=(name,)), 9, None).requests)

    everybody = (ANN, BOB, CLEO, DAN, FINANCE, LEGAL)
    create(store, 1, FINANCE)
    for to, theirs in ((LEGAL, {BOB, CLEO, DAN, LEGAL}), (ANN, {ANN}), (FINANCE, {ANN, BOB, FINANCE}), (DAN, {DAN})):
        give(store, to)
        assert {name for name in everybody if numbers(page(rows, name))} == theirs, to
        assert set(filter(listed, everybody)) == theirs, to


def test_what_the_index_has_not_followed_yet_is_shown_to_nobody_else(store: DynamoRequestStore) -> None:
    create(store, 1, ANN)
    key = item({"pk": request_id(1), "sk": HEAD})
    for column, late in (("assignee_status", f"456#pending#{BOB}"), ("status_shard", "456#responded#0")):
        store._dynamodb.update_item(
            TableName=store._table,
            Key=key,
            UpdateExpression=f"SET {column} = :late",
            ExpressionAttributeValues=item({":late": late}),
        )
    for wanted in (RequestFilter(assigned_to=(BOB,)), RequestFilter(statuses=("responded",))):
        assert store.list_requests(456, wanted, 9, None).requests == []


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_those_without_sla_come_behind_all_that_have_one(
    store: DynamoRequestStore, rows: DynamoRequestRows, limit: int
) -> None:
    for number in range(1, 21):
        create(store, number, sla_target_minutes=500 - number if number % 3 == 0 else None)
    dated = [number for number in range(20, 0, -1) if number % 3 == 0]
    undated = [number for number in range(1, 21) if number % 3]
    # Stored when those without SLA were in that index, too.
    for number in (1, 2):
        as_before(store, number)
    assert all_pages(rows, limit=limit, order=Order.DUE) == dated + undated
    answer(store, 2, NOON + timedelta(minutes=1))
    undated.remove(2)
    assert all_pages(rows, limit=limit, order=Order.DUE) == dated + undated
    stored = store.stored([request_id(number) for number in (1, 2, 3)])
    assert [one.unreadable for one in stored.values()] == [(), (), ()], "nobody changed them"


def as_before(store: DynamoRequestStore, number: int) -> None:
    """Let a request be listed as in the first version."""
    listed = {name: value for name, value in entries_of_before(store.head(request_id(number))).items() if value}
    store._dynamodb.update_item(
        TableName=store._table,
        Key=item({"pk": request_id(number), "sk": HEAD}),
        UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in listed),
        ExpressionAttributeValues=item({f":{name}": value for name, value in listed.items()}),
    )


def test_whom_somebody_of_a_group_passed_it_on_to_finds_it(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    create(store, 1, FINANCE)

    def pass_on(head: Head) -> Change:
        return delegate(head, ANN, DAN, Channel.EMAIL, SETTINGS, stamp=Stamp("e" * 32, NOON, ANN), verification={})

    step(store, 1, pass_on)
    found = {name: numbers(page(rows, name, statuses=("pending",))) for name in (ANN, BOB, DAN, FINANCE)}
    assert found == {ANN: [], BOB: [1], DAN: [1], FINANCE: [1]}


def test_a_step_that_changes_no_row_writes_no_slot(store: DynamoRequestStore) -> None:
    before = create(store, 1, LEGAL)
    after = replace(before, seq=2, last_hash="f" * 64)
    assert request_index.slot_changes(before, after) == []
    assert len(request_index.slot_changes(before, replace(after, status=Status.CANCELLED))) == 3


def test_a_group_as_large_as_can_be_is_reassigned_to_another(
    store: DynamoRequestStore, rows: DynamoRequestRows
) -> None:
    people = [tuple(f"{team}{number}@example.com" for number in range(50)) for team in ("a", "b")]
    settings = DeploymentSettings(groups=(Group(members=people[0], name="a"), Group(members=people[1], name="b")))
    deployment = examples.deployment(settings=settings)
    change = examples.opening(request_id=request_id(1), deployment=deployment, assignment=assigned_to("group:a"))
    assert store.create(change, CONTENT, None) is None
    give(store, "group:b", settings)
    assert numbers(page(rows, people[0][0])) == numbers(page(rows, people[0][49])) == []
    assert numbers(page(rows, people[1][0])) == numbers(page(rows, people[1][49])) == [1]


# --- how many


def test_counts(store: DynamoRequestStore, rows: DynamoRequestRows) -> None:
    for number, assignee in enumerate([ANN, ANN, ANN, BOB, FINANCE, LEGAL, FINANCE]):
        create(store, number, assignee, sla_target_minutes=number or None, at=NOON)
    answer(store, 1, NOON)
    step(store, 6, lambda head: cancel(head, stamp=Stamp("c" * 32, NOON, "flow")))

    def counts(*people: str) -> tuple[str, ...]:
        found = rows.counts(456, people)
        return str(found.pending), str(found.history)

    assert counts() == ("5", "2")
    assert counts(ANN) == ("3", "2")
    assert counts(BOB) == ("3", "1")
    assert counts(DAN, FINANCE) == ("2", "1")


def test_no_more_is_counted_than_is_quick(
    store: DynamoRequestStore, rows: DynamoRequestRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_index, "MOST_COUNTED", 5)
    for number in range(5):
        create(store, number)
    for people in ((), (ANN,)):
        assert rows.counts(456, people) == Counts(Count(5), Count(0))
    for number in range(5, 40):
        create(store, number)
    for people in ((), (ANN,)):
        assert rows.counts(456, people) == Counts(Count(5, more=True), Count(0))
    for number in range(40):
        answer(store, number, NOON)
        waiting, done = 39 - number, number + 1
        expected = Counts(Count(min(waiting, 5), waiting > 5), Count(min(done, 5), done > 5))
        for people in ((), (ANN,)):
            assert rows.counts(456, people) == expected


def test_what_waits_and_what_is_done_is_counted_in_four_calls(
    store: DynamoRequestStore, rows: DynamoRequestRows
) -> None:
    for number in range(8):
        create(store, number)
    answer(store, 1, NOON)
    with counted(store) as calls:
        assert rows.counts(456, ()) == Counts(Count(7), Count(1))
    assert calls == {"Query": 4, "scanned": 8}
    assert str(Count(1000, more=True)) == "1,000+"


# --- among many


def test_five_thousand_requests_of_somebody_else_are_not_looked_at(
    store: DynamoRequestStore, rows: DynamoRequestRows
) -> None:
    """Ann's requests are far apart, and still cost as much as if there were no others."""
    hers = [0, 2000, 4999]
    for number in hers:
        create(store, number, sla_target_minutes=60)
    put_many(store, [his for number, his in enumerate(many_of_bob(5000)) if number not in hers])
    mine = RequestFilter(statuses=("pending",), assigned_to=(ANN,))
    with counted(store) as calls:
        found = store.list_requests(456, mine, 20, None)
    assert [request.head.request_id for request in found.requests] == [request_id(number) for number in hers[::-1]]
    assert calls == {"Query": 1, "BatchGetItem": 1, "scanned": 3}
    for order, expected in ((Order.NEWEST, hers[::-1]), (Order.OLDEST, hers), (Order.DUE, hers)):
        with counted(store) as calls:
            assert numbers(page(rows, ANN, statuses=("pending",), order=order)) == expected
        assert calls == {"Query": 1, "scanned": 3}
    with counted(store) as calls:
        everything = rows.counts(456, ())
    assert str(everything.pending) == "1,000+"
    assert calls["scanned"] <= 2 * 1001 + 4 * 3
    with counted(store) as calls:
        first = page(rows, limit=50)
        second = page(rows, limit=50, cursor=first.next_cursor)
        soonest = page(rows, order=Order.DUE, limit=3)
    assert numbers(first) + numbers(second) == list(range(4999, 4899, -1))
    assert numbers(soonest) == hers
    assert calls["scanned"] <= 2 * 4 * 51 + 4 * 4 + 4 * 4 * 4


def many_of_bob(most: int) -> Iterator[Head]:
    """Yield what `opening` makes of each number, of which the indexes need these members."""
    first = opening(0, BOB).after
    for number in range(most):
        yield replace(first, request_id=request_id(number), created_at=NOON + timedelta(seconds=number))


def put_many(store: DynamoRequestStore, heads: list[Head]) -> None:
    """Write what the indexes need of heads; a transaction for each would take minutes."""
    for start in range(0, len(heads), 25):
        records = [{"pk": head.request_id, "sk": HEAD, **head_entries(head)} for head in heads[start : start + 25]]
        puts = [{"PutRequest": {"Item": item(record)}} for record in records]
        store._dynamodb.batch_write_item(RequestItems={store._table: puts})
