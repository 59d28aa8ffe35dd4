"""A deployment with as many requests as a test likes: they are made when they are read, so a million take little.

Each is a copy of one that went through the real service, with another id and time. moto looks through all items at
each query, so queries are answered here, from the order of the numbers; what they read is counted on the way. The
search log is made in the same way, as the service would have written it.
"""

import base64
import hashlib
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
from functools import lru_cache, partial
from heapq import merge
from operator import attrgetter
from typing import Any, NamedTuple
from unittest.mock import patch

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table as MotoTable

from flow_hitl import bootstrap
from flow_hitl.platform.packed import packed
from flow_hitl.platform.times import rfc3339
from infra.local.hitl_fixture import AskedRequest, Hitl
from infra.local.hitl_fixture.stack import ACCOUNT, REGION
from infra.tables import AUDIT, DEPLOYMENTS, REQUESTS, TABLES, Table
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
# The search log has them by the hundred, but for the newest, of which there are too few for a block.
_IN_A_BLOCK, _NOT_IN_THE_LOG = 100, 40
_COUNTED = ("GetItem", "BatchGetItem", "Query")

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


class Kind:
    """A request that the service made: how its items look in the tables, and where they stand in the indexes."""

    def __init__(self, request_id: str, at: str, items: Mapping[str, Sequence[Wire]]) -> None:
        self.listed = tuple(_listed(items))
        self.number_of_items = {table: len(of_table) for table, of_table in items.items()}
        self._request_id, self._at = request_id, at
        self._texts = {(name, place): json.dumps(one) for name in items for place, one in enumerate(items[name])}

    def item(self, table: str, place: int, request_id: str, at: str) -> Wire:
        """Return one of its items for a request of another id and time."""
        text = self._texts[table, place].replace(self._request_id, request_id).replace(self._at, at[:19])
        made: Wire = json.loads(text)
        _shard(made, request_id, at[:10])
        return made


class Grown:
    """The requests by their numbers, evenly spread over most of a year before `now`."""

    def __init__(self, hitl: Hitl, number: int, kinds: Sequence[Kind]) -> None:
        self.number = number
        self.now = hitl.clock.now() - timedelta(hours=1)
        self._step, self._kinds = _PERIOD / number, kinds
        # Pages read the same entries again and again.
        self._row: Callable[[str, str | None, int], _Row] = lru_cache(50_000)(self._made_row)
        self._moto: dict[str, Any] = {}
        self.search_log = f"search#{hitl.deployment_id}"
        self.blocks = range(0, max(0, number - _NOT_IN_THE_LOG), _IN_A_BLOCK)
        # The items of each partition of an index in their order, each as the number and the place among its items.
        self.places: dict[tuple[str, str], array[int]] = defaultdict(lambda: array("Q"))
        until, day = self.now, ""
        for n in range(number):
            if n == 0 or self._at(n) >= until:
                until = self._at(n).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
                day = rfc3339(self._at(n))[:10]
            self._place(n, day)

    def id(self, n: int) -> str:
        """Return the id of one; the first is the oldest."""
        return _ID.format(n)

    def _at(self, n: int) -> datetime:
        return self.now - self._step * (self.number - n)

    def items(self, table: Table, n: int) -> Sequence[Any]:
        """Return the items of one in a table."""
        number = self._kinds[n % 10].number_of_items[table.name]
        return [self._item(table, n * _PLACES + place) for place in range(number)]

    def _item(self, table: Table, place: int) -> Any:
        n, number = divmod(place, _PLACES)
        return _item(table, self._kinds[n % 10].item(table.name, number, self.id(n), rfc3339(self._at(n))))

    def rows(self, table: Any, index: str | None, partition: str) -> "_Rows":
        """Return what a partition of a table or an index has of them, in order."""
        if index is not None:
            places: Sequence[int] = self.places.get((index, partition), ())
        else:
            places = self.blocks if (table.name, partition) == (DEPLOYMENTS.name, self.search_log) else ()
        self._moto[table.name] = table
        return _Rows(places, partial(self._row, table.name, index))

    def _made_row(self, name: str, index: str | None, place: int) -> "_Row":
        return _row(self._moto[name], index, self._block(place) if index is None else self._item(_OF[name], place))

    def _place(self, n: int, day: str) -> None:
        """List the items of one in the indexes, which takes only their shards."""
        request_id = self.id(n)
        shard, day_shard = _shard_of(request_id), _shard_of(f"request#{request_id}")
        for index, column, partition, place in self._kinds[n % 10].listed:
            if column == "day_shard":
                partition = f"{day}#{day_shard}"
            elif column.endswith("_shard"):
                partition = f"{partition}#{shard}"
            self.places[index, partition].append(n * _PLACES + place)

    def _block(self, first: int) -> Any:
        """Return the block of the search log that begins with a request of this number."""
        numbers = range(first, min(first + _IN_A_BLOCK, self.blocks.stop))
        entries = [[self._created_key(n), f"review article {_words(n)}"] for n in numbers]
        found = {"pk": self.search_log, "sk": entries[0][0], "latest": entries[-1][0]}
        block = base64.b64encode(packed(json.dumps(entries))).decode()
        return _item(DEPLOYMENTS, {**{name: {"S": value} for name, value in found.items()}, "block": {"B": block}})

    def _created_key(self, n: int) -> str:
        return f"{self._at(n):%Y-%m-%dT%H:%M:%S}.000000#{self.id(n)}"

    def number_of(self, key: str) -> int | None:
        """Return the number of the request that a key is of, None if it is none of these."""
        head, _, tail = key.removeprefix("request#").rpartition("-")
        if head != _ID.partition("-{")[0] or len(tail) != 12:
            return None
        return n if (n := int(tail, 16)) < self.number else None


def _words(n: int) -> str:
    """Return text that packs as badly as that of people: about a hundred bytes for a request (decision 29)."""
    return hashlib.sha512(str(n).encode()).hexdigest()


def kinds_of(hitl: Hitl) -> Sequence[Kind]:
    """Make what requests are copied from: one in ten waits, one in ten is canceled, the others are answered."""
    waiting, canceled, answered = (_copied(hitl, act) for act in (_wait, _cancel, _answer))
    return [waiting, canceled, *[answered] * 8]


def _wait(hitl: Hitl, request: AskedRequest) -> None:
    """Leave it waiting."""


def _cancel(hitl: Hitl, request: AskedRequest) -> None:
    hitl.api("DELETE", f"/v1/requests/{request.id}")


def _answer(hitl: Hitl, request: AskedRequest) -> None:
    callback(hitl, request)


def _copied(hitl: Hitl, act: Callable[[Hitl, AskedRequest], None]) -> Kind:
    request = hitl.ask(emit=EMIT, sla_target_minutes=60, assigned_to_email="creator@example.com", flow_name="Articles")
    act(hitl, request)
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    at = rfc3339(hitl.clock.now())[:19]
    found: dict[str, list[Wire]] = {}
    for table, key in ((REQUESTS, request.id), (AUDIT, f"request#{request.id}")):
        items = tables[table.name].items.pop(DynamoType({"S": key}))
        found[table.name] = [one.to_json()["Attributes"] for one in items.values()]
    return Kind(request.id, at, found)


def _listed(items: Mapping[str, Sequence[Wire]]) -> Iterator[tuple[str, str, str, int]]:
    """Yield where the items of a request stand: the index, its partition's column and value, and the item's place.

    The value is without the shard, if it ends with one.
    """
    for table in (REQUESTS, AUDIT):
        for place, item in enumerate(items[table.name]):
            for index in table.indexes:
                if index.partition.name in item and index.sort.name in item:
                    value = item[index.partition.name]["S"]
                    sharded = index.partition.name.endswith("_shard")
                    yield index.name, index.partition.name, value.rpartition("#")[0] if sharded else value, place


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
        self.real = [key for key in items if grown.number_of(str(key.value)) is None]

    def __missing__(self, key: Any) -> Any:
        n = self.grown.number_of(str(key.value)) if self.table is not DEPLOYMENTS else None
        if n is None:
            self.real.append(key)
            return super().__missing__(key)
        self[key] = {one.range_key: one for one in self.grown.items(self.table, n)}
        return self[key]

    def __copy__(self) -> "_Items":
        return _Items(self.grown, self.table, self)


def _item(table: Table, wire: Wire) -> Any:
    return Item(DynamoType(wire[table.partition.name]), DynamoType(wire[table.sort.name]), wire)


@contextmanager
def grown(hitl: Hitl, number: int, kinds: Sequence[Kind]) -> Iterator[tuple[Grown, Callable[[], Read]]]:
    """Let the deployment hold so many requests meanwhile; yield them, and what begins to count what is read.

    What is written meanwhile is gone afterwards.
    """
    made, reads, process = Grown(hitl, number, kinds), [Read()], bootstrap.current()
    go_back = hitl.checkpoint()
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    for table in TABLES:
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
        assert not (call.service == "dynamodb" and _reads_uncounted(call.operation)), f"{call.name} is not counted"
        return answer

    try:
        with patch.object(MotoTable, "query", query), around_calls(watch):
            yield made, count
    finally:
        go_back()
        # The same one goes on, with what it remembers.
        bootstrap.use(process)


def _reads_uncounted(operation: str) -> bool:
    return operation not in _COUNTED and any(word in operation for word in ("Get", "Scan", "Execute"))


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
    (_, partition), *_ = hash_key_conditions or [(None, hash_key)]
    start = exclusive_start_key[(index.sort if index else declared.sort).name] if exclusive_start_key else None
    passed = DynamoType(start).cast_value if start is not None else None
    rows = made.rows(table, index_name, str(partition.value)).between(range_comparison, range_objs, passed, forward)
    if index is None:
        real = [_row(table, None, item) for item in table.items[partition].values()]
    else:
        real = [
            _row(table, index_name, item)
            for hash_key_of in table.items.real
            for item in table.items[hash_key_of].values()
            if index.partition.name in item.attrs and index.sort.name in item.attrs
            if item.attrs[index.partition.name] == partition
        ]
    real.sort(key=attrgetter("key"), reverse=not forward)
    found: list[_Row] = []
    size, last = 0, None
    for row in merge(real, rows, key=attrgetter("key"), reverse=not forward):
        if range_comparison and not row.sort.compare(range_comparison, range_objs):
            continue
        if passed is not None and (row.key <= passed if forward else row.key >= passed):
            continue
        if len(found) == limit or size > _MOST_BYTES:
            last = table._get_last_evaluated_key(found[-1].item, index_name)
            break
        found.append(row)
        size += row.size
    read.add(len(found), [size], consistent=bool(consistent_read))
    items = [row.shown for row in found]
    if filter_expression is not None:
        items = [item for item in items if filter_expression.expr(item)]
    if projection_expressions:
        items = [item.project(projection_expressions) for item in items]
    return items, len(found), last


class _Row(NamedTuple):
    """An item of a partition: its place in the order, the item, what the partition shows of it, and that in bytes."""

    key: Any
    sort: Any
    item: Any
    shown: Any
    size: int


def _row(table: Any, index: str | None, item: Any) -> _Row:
    declared = _OF[table.name]
    sort = next((one.sort for one in declared.indexes if one.name == index), declared.sort)
    shown = table.get_index(index).project(item) if index else item
    typed = item.attrs[sort.name]
    return _Row(typed.cast_value, typed, item, shown, size_of(shown.to_json()["Attributes"]))


@dataclass(frozen=True)
class _Rows:
    """Rows in order, made when they are looked at."""

    places: Sequence[int]
    make: Callable[[int], _Row]

    def between(self, comparison: str | None, ends: Sequence[Any], passed: Any, forward: bool) -> Iterator[_Row]:
        """Yield those of a range that come after a key that was passed."""
        first, behind = 0, len(self.places)
        if comparison == "BETWEEN":
            first, behind = self._place(ends[0].cast_value, bisect_left), self._place(ends[1].cast_value, bisect_right)
        if passed is not None and forward:
            first = max(first, self._place(passed, bisect_right))
        elif passed is not None:
            behind = min(behind, self._place(passed, bisect_left))
        found = range(first, behind) if forward else range(behind - 1, first - 1, -1)
        return (self.make(self.places[number]) for number in found)

    def _place(self, key: Any, bisect: Callable[..., int]) -> int:
        return bisect(self.places, key, key=lambda place: self.make(place).key)


def utc(moment: datetime) -> str:
    """Return a moment as the API takes it."""
    return rfc3339(moment.astimezone(UTC))
