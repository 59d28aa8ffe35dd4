"""Search finds a request by what people remember of it, reads a limited part at a time, and costs requests nothing."""

import base64
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.people.access import SignedInMember
from flow_hitl.platform.errors import ValidationFailed
from flow_hitl.platform.packed import unpacked
from flow_hitl.requests.ports import RequestFilter
from flow_hitl.requests.reading import keep_search, search_requests
from flow_hitl.requests.reading.search_text import SearchEntry, words_of
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import AwsCall, around_calls
from tests.support.units import counted

ANN = "ann@example.com"


def manager(hitl: Hitl) -> SignedInMember:
    return SignedInMember.of(current().manage_deployments.show(hitl.deployment_id), "creator@example.com")


def found(hitl: Hitl, text: str, limit: int = 25, **wanted: Any) -> list[str]:
    """Return the ids on all pages of a search."""
    ids: list[str] = []
    cursor = None
    for _ in range(50):
        page = current().list_requests.page(
            manager(hitl), RequestFilter(**wanted), text=text, limit=limit, cursor=cursor
        )
        assert len(page.rows) <= limit
        ids += [row.request_id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return ids
    raise AssertionError("it never ends")


@pytest.fixture
def asked(hitl: Hitl) -> list[AskedRequest]:
    """Three requests, none of which is in the search log yet."""
    state = {"invoice": "INV-20931", "supplier": {"name": "Müller"}, "lines": [{"no": 4711}], "paid": True}
    return [
        hitl.ask("Pay it?", method_name="approve_payment", state=state, assigned_to_email=ANN, emit=EMIT),
        hitl.ask("x " * 200 + "Fit to print? Straße.", flow_name="Newsletter", state={"note": "y" * 81}),
        hitl.ask("Pay it? A lot more.", flow_id="flow_77", state={"invoice": "inv-20932"}),
    ]


def into_the_log(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_search, "_ENOUGH", 1)
    hitl.advance(minutes=5)
    hitl.measure()


WORDS: Sequence[tuple[str, list[int]]] = (
    ("INV-20931", [0]),
    ("inv-2093", [2, 0]),
    ("MÜLLER", [0]),
    ("4711", [0]),
    ("pay it", [2, 0]),
    ("pay lot", [2]),
    ("approve_payment", [0]),
    ("newsletter", [1]),
    ("STRASSE", [1]),
    ("flow_77", [2]),
    ("ann@", [0]),
    ("yyyy", []),
    ("pay newsletter", []),
)


@pytest.mark.parametrize("logged", [False, True], ids=["fresh", "in the log"])
def test_what_people_remember_finds_it(
    hitl: Hitl, asked: list[AskedRequest], monkeypatch: pytest.MonkeyPatch, logged: bool
) -> None:
    if logged:
        into_the_log(hitl, monkeypatch)
        assert current()._search_log.latest(hitl.deployment_id)
    for text, numbers in WORDS:
        assert found(hitl, text) == [asked[number].id for number in numbers], text


def test_filters_and_states_are_those_of_now(
    hitl: Hitl, asked: list[AskedRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    into_the_log(hitl, monkeypatch)
    callback(hitl, asked[0])
    assert found(hitl, "pay", statuses=("pending",)) == [asked[2].id]
    assert found(hitl, "pay", statuses=("responded",), outcome="approved") == [asked[0].id]
    assert found(hitl, "pay", assigned_to=(ANN,)) == [asked[0].id]
    assert found(hitl, "pay", flow_name="Newsletter") == []


def test_a_search_goes_on_page_by_page_over_blocks_and_what_is_fresh(
    hitl: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_search, "_BLOCK", 4)
    monkeypatch.setattr(search_requests, "_HEADS_AT_ONCE", 2)
    monkeypatch.setattr(search_requests, "_MOST_HEADS", 4)
    ids = [hitl.ask(f"Number {number}").id for number in range(10)]
    into_the_log(hitl, monkeypatch)
    ids += [hitl.ask(f"Number {number}").id for number in range(10, 13)]
    for limit in (1, 3, 25):
        assert found(hitl, "number", limit) == ids[::-1], limit
    assert found(hitl, "9") == [ids[9]]
    assert found(hitl, "nothing") == []


def test_a_foreign_cursor_is_refused(hitl: Hitl) -> None:
    for cursor in ("x", "e30", "MTI"):
        with pytest.raises(ValidationFailed):
            current().list_requests.page(manager(hitl), RequestFilter(), text="a", cursor=cursor)


def test_a_run_twice_and_a_log_that_fails_do_no_harm(
    hitl: Hitl, asked: list[AskedRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    into_the_log(hitl, monkeypatch)
    log = current()._search_log
    keys = [entry.key for part in log.blocks(1, None) for entry in part]
    log.append(1, [SearchEntry(keys[1], asked[1].id, "number fit")], keys[0])
    assert list(current().keep_search()) == []
    assert found(hitl, "newsletter") == [asked[1].id]


def test_blocks_that_were_written_as_text_are_searched_as_ever(
    hitl: Hitl, asked: list[AskedRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    into_the_log(hitl, monkeypatch)
    dynamodb, table = hitl._clients["dynamodb"], current().settings.deployments_table
    condition, named = "pk = :pk", {":pk": {"S": f"search#{hitl.deployment_id}"}}
    (stored,) = dynamodb.query(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=named)[
        "Items"
    ]
    text = unpacked(bytes(stored["block"]["B"]))
    stored["block"] = {"S": base64.b85encode(zlib.compress(text.encode(), 9)).decode()}
    dynamodb.put_item(TableName=table, Item=stored)
    for words, numbers in WORDS:
        assert found(hitl, words) == [asked[number].id for number in numbers], words


def test_another_deployment_is_never_searched(hitl: Hitl, asked: list[AskedRequest]) -> None:
    manage = current().manage_deployments
    other = manage.create(name="Other", creator_email="creator@example.com", organization_id=1)
    there = SignedInMember.of(other, "creator@example.com")
    assert current().list_requests.page(there, RequestFilter(), text="pay").rows == []


def test_what_it_costs(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request writes nothing for it; a block of a hundred takes a few write units; a search takes a few calls."""
    for number in range(100):
        hitl.ask(f"Pay invoice {number} of ACME Ltd.?", state={"invoice": f"INV-{number}", "supplier": "ACME"})
    hitl.advance(minutes=5)
    with counted() as units:
        assert list(current().keep_search()) == []
    assert 0 < units.writes <= 10
    calls: list[str] = []

    def counting(call: AwsCall, make: Callable[[], Any]) -> Any:
        calls.append(call.operation)
        return make()

    with around_calls(counting):
        assert len(found(hitl, "INV-42")) == 1
    # The deployment, how far the log has come, what it lacks in each shard, the log, a head, and whether there is more.
    assert Counter(calls) == {"GetItem": 1, "Query": 1 + 4 + 1 + 1, "BatchGetItem": 1}


def test_words_are_limited() -> None:
    assert len(words_of("a " * 100)) == 10
