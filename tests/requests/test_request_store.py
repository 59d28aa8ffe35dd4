"""The requests table: what is written comes back, steps are conditional, and pages lose and repeat nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from flow_hitl.audit.audit_log import event_from_item
from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import Effect, EffectKind, EffectState
from flow_hitl.audit.ports import EffectBusy, Try
from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.dynamodb import values
from flow_hitl.platform.errors import Conflict, NotAsLogged, NotFound
from flow_hitl.platform.read_together import DynamoReader
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.requests.ports import RequestFilter, TakenAlready
from flow_hitl.requests.reading import decision_feed
from flow_hitl.requests.request import Content, Request, ResumeStatus, Stamp, cancel, decide, note
from flow_hitl.requests.store import request_index, request_store
from flow_hitl.requests.store.request_store import DynamoRequestStore
from infra.local.hitl_fixture import Hitl
from tests.support import examples
from tests.support.aws_calls import AwsCall, around_calls
from tests.support.examples import CONTENT, NOON, REQUEST_ID
from tests.support.units import size_of

LEASE = timedelta(seconds=60)


@pytest.fixture
def store(hitl: Hitl) -> DynamoRequestStore:
    """The store over moto, as bootstrap makes it."""
    return current()._requests


def request_id(number: int) -> str:
    return f"0192f0c1-7e11-7abc-8def-{number:012x}"


def create(store: DynamoRequestStore, number: int = 0, content: Content = CONTENT, **changes: Any) -> Request:
    """Write a request, each with event ids of its own."""
    change = examples.opening(request_id=request_id(number), event_id=f"{number:032x}", content=content, **changes)
    assert store.create(change, content, None) is None
    return Request(change.after, content)


def answer(store: DynamoRequestStore, request: Request, at: datetime, **changes: Any) -> Request:
    head = store.head(request.head.request_id)
    given = examples.answer(decision_id=f"d/{head.request_id}", **changes)
    stamp = Stamp(f"{head.request_id[-12:]:x>32}", at, given.actor)
    change = decide(head, given, request.content, stamp=stamp)
    store.commit(change)
    return Request(change.after, request.content, change.response)


# --- what is written comes back


def test_a_request_survives_with_every_member(store: DynamoRequestStore) -> None:
    content = replace(
        CONTENT,
        output={"deep": [1, 2.5, None, True, "grüße \U0001f600", 10**30, 1e300]},
        history=[{"method": "m", "at": None, "output": [1]}],
        warnings=("one", "two"),
        resume_url=None,
    )
    change = examples.opening(content=content, auto_response=(60, "rejected"), sla_target_minutes=5, at=NOON)
    store.create(change, content, None)
    assert store.load(REQUEST_ID) == Request(change.after, content)
    assert store.head(REQUEST_ID) == change.after
    given = examples.answer(via=Channel.API, source="app", comment="more")
    decided = decide(
        change.after,
        given,
        content,
        stamp=Stamp("2" * 32, NOON + timedelta(microseconds=7), given.actor),
    )
    store.commit(decided)
    assert store.load(REQUEST_ID) == Request(decided.after, content, decided.response)


@pytest.mark.parametrize("comment", ["", "Fine.", "Looks right. " * 60, "ü" * 2000])
def test_an_answer_of_any_length_comes_back_and_later_steps_keep_it(store: DynamoRequestStore, comment: str) -> None:
    decided = answer(store, create(store), NOON, comment=comment)
    assert decided.response is not None
    read = DynamoReader(current().client("dynamodb"), lambda _: None)
    later = note(decided.head, EventKind.RESUME_ATTEMPTED, {}, stamp=Stamp("9" * 32, NOON, "x"))
    store.commit(replace(later, response=decided.response))
    expected = Request(later.after, decided.content, decided.response)
    assert store.load(request_id(0)) == expected
    assert read(store.reading(request_id(0))) == (expected,)
    assert store.responses([request_id(0)]) == {request_id(0): decided.response}
    assert store.stored([request_id(0)])[request_id(0)].unreadable == ()


def test_what_was_stored_before_answers_were_in_heads_is_read_and_goes_on(
    store: DynamoRequestStore, hitl: Hitl
) -> None:
    dynamodb, requests = hitl._clients["dynamodb"], "requests"
    decided = answer(store, create(store), NOON, comment="Fine.")
    (head,) = [one for one in dynamodb.scan(TableName=requests)["Items"] if (one["sk"]["S"]) == "r#head"]
    document = json.loads(request_store.document_text(values(head)["doc"]))
    response = {"pk": head["pk"], "sk": {"S": "r#response"}, "doc": {"S": json.dumps(document.pop("answer"))}}
    dynamodb.put_item(TableName=requests, Item={**head, "doc": {"S": json.dumps(document)}})
    dynamodb.put_item(TableName=requests, Item=response)
    assert store.load(request_id(0)) == decided
    assert store.responses([request_id(0)]) == {request_id(0): decided.response}
    later = note(decided.head, EventKind.RESUME_ATTEMPTED, {}, stamp=Stamp("9" * 32, NOON, "x"))
    store.commit(replace(later, response=decided.response))
    assert store.load(request_id(0)) == Request(later.after, decided.content, decided.response)
    assert store.stored([request_id(0)])[request_id(0)].unreadable == ()


def test_a_long_text_is_stored_in_less_room_than_it_takes(store: DynamoRequestStore, hitl: Hitl) -> None:
    content = replace(CONTENT, output="Lorem ipsum dolor sit amet, consetetur sadipscing elitr. " * 500)
    assert store.load(create(store, content=content).head.request_id).content == content
    key = {"pk": {"S": request_id(0)}, "sk": {"S": "r#content"}}
    stored = hitl._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"]
    assert len(stored["doc"]["B"]) < 1024
    assert store.heads_with_contents([request_id(0)])[request_id(0)][1] == content


def test_a_head_is_small(store: DynamoRequestStore, hitl: Hitl) -> None:
    request = create(store, auto_response=(60, "rejected"))
    answer(store, request, NOON)
    key = {"pk": {"S": request_id(0)}, "sk": {"S": "r#head"}}
    item = hitl._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"]
    assert size_of(item) < 1024, "two write units in a transaction, also with its answer"


@pytest.mark.parametrize("size", [65_000, 66_000, 900_000])
def test_big_contents_go_to_s3(store: DynamoRequestStore, hitl: Hitl, size: int) -> None:
    content = replace(CONTENT, output="x" * size)
    request = create(store, content=content)
    assert store.load(request_id(0)) == request
    stored = hitl._clients["s3"].list_objects_v2(Bucket="content")["KeyCount"]
    assert stored == (0 if size < 65_200 else 1)


def test_contents_that_were_changed_in_s3_are_not_shown(store: DynamoRequestStore, hitl: Hitl) -> None:
    create(store, content=replace(CONTENT, output="x" * 100_000))
    s3 = hitl._clients["s3"]
    key = s3.list_objects_v2(Bucket="content")["Contents"][0]["Key"]
    s3.put_object(Bucket="content", Key=key, Body=b'{"message":"other"}')
    with pytest.raises(NotAsLogged):
        store.load(request_id(0))


def test_what_is_not_there(store: DynamoRequestStore) -> None:
    for read in (store.head, store.load):
        with pytest.raises(NotFound):
            read(REQUEST_ID)


def test_the_event_is_written_with_the_head(store: DynamoRequestStore, hitl: Hitl) -> None:
    create(store)
    items = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    (event,) = [event_from_item(item) for item in items if item["subject"]["S"].startswith("request#")]
    assert event == examples.opening(request_id=request_id(0), event_id=f"{0:032x}").event
    assert current()._audit.event(request_id(0), 1) == event
    assert list(current()._audit.timeline(request_id(0))) == [event]
    with pytest.raises(NotFound):
        current()._audit.event(request_id(0), 2)


# --- steps are conditional


def test_a_step_from_an_old_head_is_a_conflict_and_writes_nothing(store: DynamoRequestStore) -> None:
    request = create(store)
    first = cancel(request.head, stamp=Stamp("2" * 32, NOON, "one"))
    second = decide(request.head, examples.answer(), request.content, stamp=Stamp("3" * 32, NOON, "two"))
    store.commit(first)
    with pytest.raises(Conflict):
        store.commit(second)
    assert store.load(request_id(0)) == Request(first.after, CONTENT)
    assert [event.event_id for event in current()._audit.timeline(request_id(0))] == [f"{0:032x}", "2" * 32]


def test_an_id_that_is_taken_shows_who_has_it(store: DynamoRequestStore) -> None:
    request = create(store)
    other = examples.opening(request_id=request_id(0), event_id="2" * 32, flow_id="other")
    assert store.create(other, CONTENT, None) == request
    assert store.load(request_id(0)) == request


def test_an_idempotency_key_that_is_taken_shows_who_has_it(store: DynamoRequestStore) -> None:
    key = Call(456, "", "k", "", NOON)
    one = examples.opening(request_id=request_id(1), event_id="1" * 32)
    two = examples.opening(request_id=request_id(2), event_id="2" * 32)
    assert store.create(one, CONTENT, key) is None
    assert store.create(two, CONTENT, key) == Request(one.after, CONTENT)
    with pytest.raises(NotFound):
        store.head(request_id(2))


def test_the_event_of_its_outcome_completes_an_effect(store: DynamoRequestStore) -> None:
    request = create(store)
    effect = Effect(EffectKind.NOTIFY, request_id(0), 1)
    other = Effect(EffectKind.NOTIFY, request_id(0), 1, "b@example.com")
    assert current()._effects.claim(effect, NOON, LEASE)
    assert current()._effects.claim(other, NOON, LEASE)
    store.commit(
        note(request.head, EventKind.NOTIFICATION_SENT, {"did": effect.name}, stamp=Stamp("2" * 32, NOON, "x"))
    )
    assert not current()._effects.claim(effect, NOON, LEASE), "also while the lease lasts"
    assert not current()._effects.claim(effect, NOON + timedelta(days=1), LEASE)
    states = current()._effects.states([effect, other], NOON)
    assert states == {effect: EffectState.DONE, other: EffectState.TAKEN}


def test_what_was_done_before_events_said_so_stays_done(store: DynamoRequestStore) -> None:
    create(store)
    effect = Effect(EffectKind.NOTIFY, request_id(0), 1)
    assert current()._effects.claim(effect, NOON, LEASE)
    current()._effects.complete(effect)
    assert not current()._effects.claim(effect, NOON + timedelta(days=1), LEASE)
    assert current()._effects.states([effect], NOON) == {effect: EffectState.DONE}


def test_a_lease_that_ran_out_is_no_outcome(store: DynamoRequestStore) -> None:
    create(store)
    effect = Effect(EffectKind.NOTIFY, request_id(0), 1)
    assert current()._effects.begin(effect, NOON, LEASE) == Try(1, None)
    with pytest.raises(EffectBusy):
        current()._effects.begin(effect, NOON, LEASE)
    assert current()._effects.begin(effect, NOON + LEASE, LEASE) == Try(2, None)
    current()._effects.keep(effect, {"to": "b@example.com"})
    assert current()._effects.begin(effect, NOON + LEASE, LEASE) == Try(3, {"to": "b@example.com"})


def test_what_was_given_back_is_taken_again_without_a_look_at_the_log(store: DynamoRequestStore) -> None:
    create(store)
    effect = Effect(EffectKind.RESUME, request_id(0), 1)
    calls: list[str] = []

    def seen(call: AwsCall, make: Callable[[], Any]) -> Any:
        calls.append(call.name)
        return make()

    with around_calls(seen):
        for _ in range(2):
            assert current()._effects.claim(effect, NOON, LEASE)
            current()._effects.release(effect)
            assert current()._effects.begin(effect, NOON, LEASE) == Try(1, None)
            current()._effects.came_to_nothing(effect)
    assert set(calls) == {"dynamodb.UpdateItem"}


def test_what_may_happen_once_happens_once(store: DynamoRequestStore) -> None:
    request = create(store)
    first = note(request.head, EventKind.REPLY_REJECTED, {}, stamp=Stamp("2" * 32, NOON, "x"))
    store.commit(first, "mail/1")
    again = note(first.after, EventKind.REPLY_REJECTED, {}, stamp=Stamp("3" * 32, NOON, "x"))
    with pytest.raises(TakenAlready):
        store.commit(again, "mail/1")
    assert store.head(request_id(0)) == first.after
    store.commit(again, "mail/2")


# --- effects


def test_an_effect_is_held_for_its_lease_and_then_free(hitl: Hitl) -> None:
    effects, effect, lease = current()._effects, Effect(EffectKind.RESUME, REQUEST_ID, 3), timedelta(seconds=60)
    assert effects.claim(effect, NOON, lease)
    with pytest.raises(EffectBusy):
        effects.claim(effect, NOON + timedelta(seconds=59), lease)
    assert effects.claim(effect, NOON + timedelta(seconds=60), lease)
    effects.release(effect)
    assert effects.claim(effect, NOON + timedelta(seconds=61), lease)
    effects.complete(effect)
    assert not effects.claim(effect, NOON + timedelta(days=9), lease)
    assert effects.claim(replace(effect, event_seq=4), NOON, lease), "another event's effect is another"


# --- pages


@pytest.fixture
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one read of an index end early, as it does in real life after a megabyte."""
    monkeypatch.setattr(request_index, "_READ_AHEAD", 2)


def all_pages(store: DynamoRequestStore, wanted: RequestFilter, limit: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    for _ in range(100):
        page = store.list_requests(456, wanted, limit, cursor)
        assert len(page.requests) <= limit
        found += [request.head.request_id for request in page.requests]
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the pages never end")


@pytest.mark.usefixtures("small_reads")
def test_filtered_pages_show_everything_once_newest_first(store: DynamoRequestStore) -> None:
    random = Random(1)  # noqa: S311 - the same in every run
    made = []
    for number in range(16):
        at = NOON + timedelta(seconds=random.randrange(8), microseconds=random.randrange(3))
        made.append(create(store, number, at=at, method_name=random.choice("ab"), flow_name=random.choice(["x", None])))
    newest = sorted(made, key=lambda request: (request.head.created_at, request.head.request_id), reverse=True)
    wanted = [RequestFilter(), RequestFilter(method_name="a"), RequestFilter(method_name="b", flow_name="x")]
    wanted += [RequestFilter(statuses=("pending",), method_name="a"), RequestFilter(statuses=("responded",))]
    for one in wanted:
        expected = [
            request.head.request_id
            for request in newest
            if one.method_name in (None, request.head.method_name)
            and one.flow_name in (None, request.head.flow_name)
            and one.statuses in ((), ("pending",))
        ]
        for limit in (1, 5, 100):
            assert all_pages(store, one, limit) == expected, one


def test_a_page_stays_within_what_a_function_may_return(
    store: DynamoRequestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_store, "_PAGE_BYTES", 10_000)
    for number in range(5):
        create(store, number, content=replace(CONTENT, output="x" * (4000 if number else 50_000)), at=NOON)
    page = store.list_requests(456, RequestFilter(), 100, None)
    assert 0 < len(page.requests) < 5
    assert all_pages(store, RequestFilter(), 100) == [request_id(number) for number in (4, 3, 2, 1, 0)]


def test_a_crowd_of_decisions_is_followed_to_its_end(
    store: DynamoRequestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_feed, "_MOST_SINGLE", 5)
    monkeypatch.setattr(decision_feed, "_GROUP", 2)
    requests = [create(store, number, at=NOON) for number in range(20)]
    for number, request in enumerate(requests):
        answer(store, request, NOON + timedelta(milliseconds=number * 7919 % 20))
    now = NOON + timedelta(seconds=1)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(40):
        page = store.decisions(456, 3, cursor, now)
        seen += [request.head.request_id for request in page.requests]
        cursor = page.next_cursor
        assert cursor is not None
        assert len(cursor) < 8000, "it must fit a URL"
        if not page.requests:
            break
    assert sorted(set(seen)) == [request_id(number) for number in range(20)]
    assert store.decisions(456, 3, cursor, now).requests == []


def test_unprocessed_keys_are_asked_for_again(store: DynamoRequestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        create(store, number, at=NOON)
    client = store._dynamodb
    batch_get = client.batch_get_item
    calls: list[int] = []

    def half(RequestItems: Any) -> Any:  # noqa: N803 - boto3's name
        keys = RequestItems["requests"]["Keys"]
        calls.append(len(keys))
        taken, left = keys[: len(keys) // 2 + 1], keys[len(keys) // 2 + 1 :]
        result = batch_get(RequestItems={"requests": {**RequestItems["requests"], "Keys": taken}})
        rest = {"requests": {**RequestItems["requests"], "Keys": left}} if left else {}
        return {**result, "UnprocessedKeys": rest}

    monkeypatch.setattr(client, "batch_get_item", half)
    page = store.list_requests(456, RequestFilter(), 10, None)
    assert [request.head.request_id for request in page.requests] == [request_id(number) for number in (2, 1, 0)]
    assert len(calls) > 1


def test_a_request_that_waits_for_its_flow_says_so(store: DynamoRequestStore) -> None:
    decided = answer(store, create(store), NOON)
    assert decided.head.resume is not None
    assert decided.head.resume.status is ResumeStatus.WAITING
