"""A deployment with as many requests as a test likes: they are made when they are read, so a million cost no memory.

Each is a copy of one that went through the real service, with another id and time. moto looks through all items at
each query, so queries are answered here, from the order of the numbers; what they read is counted on the way.
"""

import json
import math
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table as MotoTable

from flow_hitl.platform.times import rfc3339
from infra.local.hitl_fixture import AskedRequest, Hitl
from infra.local.hitl_fixture.stack import ACCOUNT, REGION
from infra.tables import AUDIT, REQUESTS, TABLES, Index, Table
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import AwsCall, around_calls
from tests.support.units import size_of

_ID = "0192f0c1-7e11-7abc-8def-{:012x}"
_PERIOD = timedelta(days=360)
_SHARDS = 4
# More than the items that a request has in one table.
_PLACES = 16
_MOST_BYTES = 1024 * 1024
_OF = {table.name: table for table in TABLES}

Wire = dict[str, Any]


@dataclass
class Read:
    """What one page or call has read: AWS calls, items, and DynamoDB's read units."""

    calls: Counter[str] = field(default_factory=Counter)
    items: int = 0
    units: float = 0

    def add(self, items: int, sizes: Sequence[int], *, consistent: bool) -> None:
        """Count a read of items that are billed by these sizes."""
        self.items += items
        self.units += sum(max(1, math.ceil(size / 4096)) for size in sizes) * (1 if consistent else 0.5)


@dataclass(frozen=True)
class _Kind:
    """A request that the service made, and how its items look in the tables."""

    request_id: str
    at: str
    items: Mapping[str, Sequence[Wire]]


class Grown:
    """The requests by their numbers, evenly spread over most of a year before `now`."""

    def __init__(self, hitl: Hitl, number: int) -> None:
        """Make what they are copied from: one in ten waits, one in ten is canceled, the others are answered."""
        self.number = number
        self.now = hitl.clock.now() - timedelta(hours=1)
        self._step = _PERIOD / number
        self._kinds = [_copied(hitl, act) for act in (_wait, _cancel, *[_answer] * 8)]
        self.make: Callable[[int], Mapping[str, Sequence[Wire]]] = lru_cache(5000)(self._make)
        self._listed = [tuple(_listed(kind)) for kind in self._kinds]
        # The items of each partition of an index in their order, each as the number and the place among its items.
        self.places: dict[tuple[str, str], array[int]] = defaultdict(lambda: array("Q"))
        for n in range(number):
            self._place(n)

    def id(self, n: int) -> str:
        """Return the id of one; the first is the oldest."""
        return _ID.format(n)

    def _at(self, n: int) -> datetime:
        return self.now - self._step * (self.number - n)

    def _make(self, n: int) -> Mapping[str, Sequence[Wire]]:
        kind, made = self._kinds[n % 10], {}
        for table, items in kind.items.items():
            text = json.dumps(items).replace(kind.request_id, self.id(n))
            made[table] = json.loads(text.replace(kind.at, rfc3339(self._at(n))[:19]))
            for one in made[table]:
                _shard(one, self.id(n), rfc3339(self._at(n))[:10])
        return made

    def _place(self, n: int) -> None:
        """List the items of one in the indexes, which takes only their shards."""
        request_id, day = self.id(n), rfc3339(self._at(n))[:10]
        shard, day_shard = _shard_of(request_id), _shard_of(f"request#{request_id}")
        for index, column, partition, place in self._listed[n % 10]:
            if column == "day_shard":
                partition = f"{day}#{day_shard}"
            elif column.endswith("_shard"):
                partition = f"{partition.rpartition('#')[0]}#{shard}"
            self.places[index, partition].append(n * _PLACES + place)

    def number_of(self, key: str) -> int | None:
        """Return the number of the request that a key is of, None if it is none of these."""
        head, _, tail = key.removeprefix("request#").rpartition("-")
        if head != _ID.partition("-{")[0] or len(tail) != 12:
            return None
        return n if (n := int(tail, 16)) < self.number else None


def _wait(hitl: Hitl, request: AskedRequest) -> None:
    """Leave it waiting."""


def _cancel(hitl: Hitl, request: AskedRequest) -> None:
    hitl.api("DELETE", f"/v1/requests/{request.id}")


def _answer(hitl: Hitl, request: AskedRequest) -> None:
    callback(hitl, request)


def _copied(hitl: Hitl, act: Callable[[Hitl, AskedRequest], None]) -> _Kind:
    request = hitl.ask(emit=EMIT, sla_target_minutes=60, assigned_to_email="creator@example.com", flow_name="Articles")
    act(hitl, request)
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    at = rfc3339(hitl.clock.now())[:19]
    found: dict[str, list[Wire]] = {}
    for table, key in ((REQUESTS, request.id), (AUDIT, f"request#{request.id}")):
        items = tables[table.name].items.pop(DynamoType({"S": key}))
        found[table.name] = [one.to_json()["Attributes"] for one in items.values()]
    return _Kind(request.id, at, found)


def _listed(kind: _Kind) -> Iterator[tuple[str, str, str, int]]:
    """Yield where the items of a request stand: the index, its partition's column and value, and the item's place."""
    for table in (REQUESTS, AUDIT):
        for place, item in enumerate(kind.items[table.name]):
            for index in table.indexes:
                if index.partition.name in item and index.sort.name in item:
                    yield index.name, index.partition.name, item[index.partition.name]["S"], place


def _shard_of(key: str) -> int:
    return zlib.crc32(key.encode()) % _SHARDS


def _shard(item: Wire, request_id: str, day: str) -> None:
    """Put an item's columns into the shards of its own id and day."""
    shard = _shard_of(request_id)
    for name in ("created_shard", "status_shard", "due_shard", "decision_shard"):
        if name in item:
            item[name] = {"S": f"{item[name]['S'].rpartition('#')[0]}#{shard}"}
    if "day_shard" in item:
        item["day_shard"] = {"S": f"{day}#{_shard_of(f'request#{request_id}')}"}


class _Items(defaultdict[Any, Any]):
    """A table's items, those of a grown deployment as soon as somebody asks for them."""

    def __init__(self, grown: Grown, table: Table, items: Mapping[Any, Any]) -> None:
        super().__init__(dict, items)
        self.grown, self.table = grown, table

    def __missing__(self, key: Any) -> Any:
        n = self.grown.number_of(str(key.value))
        if n is None:
            return super().__missing__(key)
        found = [_item(self.table, wire) for wire in self.grown.make(n)[self.table.name]]
        self[key] = {one.range_key: one for one in found}
        return self[key]

    def __copy__(self) -> "_Items":
        return _Items(self.grown, self.table, self)


def _item(table: Table, wire: Wire) -> Any:
    return Item(DynamoType(wire[table.partition.name]), DynamoType(wire[table.sort.name]), wire)


@contextmanager
def grown(hitl: Hitl, number: int) -> Iterator[tuple[Grown, Callable[[], Read]]]:
    """Let the deployment hold so many requests; yield them, and what begins to count, and returns, what is read."""
    made, reads = Grown(hitl, number), [Read()]
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    for table in (REQUESTS, AUDIT):
        tables[table.name].items = _Items(made, table, tables[table.name].items)

    def count() -> Read:
        reads.append(Read())
        return reads[-1]

    def query(table: Any, *arguments: Any, **options: Any) -> Any:
        return _query(made, reads[-1], table, *arguments, **options)

    def watch(call: AwsCall, make: Callable[[], Any]) -> Any:
        answer, read = make(), reads[-1]
        read.calls[call.operation] += 1
        if call.name == "dynamodb.GetItem":
            found = [answer["Item"]] if answer.get("Item") else []
            read.add(1, [size_of(one) for one in found] or [0], consistent=bool(call.parameters.get("ConsistentRead")))
        elif call.name == "dynamodb.BatchGetItem":
            for name, asked in call.parameters["RequestItems"].items():
                sizes = [size_of(one) for one in answer["Responses"].get(name, [])]
                sizes += [0] * (len(asked["Keys"]) - len(sizes))
                read.add(len(asked["Keys"]), sizes, consistent=bool(asked.get("ConsistentRead")))
        return answer

    with patch.object(MotoTable, "query", query), around_calls(watch):
        yield made, count


def _query(
    made: Grown,
    read: Read,
    table: Any,
    hash_key: Any,
    range_comparison: str | None,
    range_objs: Sequence[Any],
    limit: int | None,
    exclusive_start_key: Mapping[str, Any] | None,
    scan_index_forward: bool,
    projection_expressions: Any,
    index_name: str | None = None,
    consistent_read: bool = False,
    filter_expression: Any = None,
    hash_key_conditions: Any = None,
    range_key_conditions: Any = None,
) -> Any:
    """Answer as `Table.query` of moto does, and count what is read."""
    declared = _OF[table.name]
    index = next((one for one in declared.indexes if one.name == index_name), None)
    forward = scan_index_forward is not False
    sort = (index.sort if index else declared.sort).name
    (_, partition), *_ = hash_key_conditions or [(None, hash_key)]

    def key(item: Any) -> Any:
        return item.attrs[sort].cast_value

    def fits(item: Any) -> bool:
        return not range_comparison or item.attrs[sort].compare(range_comparison, range_objs)

    ordered: Iterator[Any]
    if index is None:
        ordered = iter(sorted(table.items[partition].values(), key=key, reverse=not forward))
    else:
        real = [
            item
            for hash_key_of, items in table.items.items()
            if made.number_of(str(hash_key_of.value)) is None
            for item in items.values()
            if index.partition.name in item.attrs and index.sort.name in item.attrs
            if item.attrs[index.partition.name] == partition
        ]
        real.sort(key=key, reverse=not forward)
        virtual = _between(made, declared, index, str(partition.value), range_comparison, range_objs, forward)
        ordered = merge(real, virtual, key=key, reverse=not forward)
    start = exclusive_start_key[sort] if exclusive_start_key else None
    passed = DynamoType(start).cast_value if start is not None else None
    found: list[Any] = []
    size, last = 0, None
    for item in ordered:
        if not fits(item) or (passed is not None and (key(item) <= passed if forward else key(item) >= passed)):
            continue
        if len(found) == limit or size > _MOST_BYTES:
            last = table._get_last_evaluated_key(found[-1], index_name)
            break
        found.append(item)
        shown = table.get_index(index_name).project(item) if index else item
        size += size_of(shown.to_json()["Attributes"])
    read.add(len(found), [size], consistent=bool(consistent_read))
    scanned = len(found)
    if index:
        found = [table.get_index(index_name).project(item) for item in found]
    if filter_expression is not None:
        found = [item for item in found if filter_expression.expr(item)]
    if projection_expressions:
        found = [item.project(projection_expressions) for item in found]
    return found, scanned, last


def _between(
    made: Grown, table: Table, index: Index, partition: str, comparison: str | None, ends: Sequence[Any], forward: bool
) -> Iterator[Any]:
    """Yield the grown items of an index's partition in order, from where the range begins to where it ends."""
    places = made.places.get((index.name, partition), array("Q"))

    def item(place: int) -> Wire:
        number, place = divmod(place, _PLACES)
        return made.make(number)[table.name][place]

    def key(place: int) -> str:
        return str(item(place)[index.sort.name]["S"])

    first, behind = 0, len(places)
    if comparison == "BETWEEN":
        first = bisect_left(places, ends[0].cast_value, key=key)
        behind = bisect_right(places, ends[1].cast_value, key=key)
    found = range(first, behind) if forward else range(behind - 1, first - 1, -1)
    return (_item(table, item(places[number])) for number in found)


def utc(moment: datetime) -> str:
    """Return a moment as the API takes it."""
    return rfc3339(moment.astimezone(UTC))
