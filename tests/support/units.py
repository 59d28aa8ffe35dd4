"""What DynamoDB would bill for: the write and read units of all calls, counted from the items that they touch.

Rules: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import base64
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler

from infra.local.hitl_fixture.stack import ACCOUNT, REGION
from infra.tables import TABLES, Index, Table

Item = Mapping[str, Any]
_TABLES = {table.name: table for table in TABLES}
_PARTS = ("Put", "Update", "Delete", "ConditionCheck")


@dataclass
class Units:
    """Write and read units by what was written or read: a table's record, or one of its indexes."""

    written: Counter[str] = field(default_factory=Counter)
    read: dict[str, float] = field(default_factory=dict)

    @property
    def writes(self) -> int:
        """The write units of all."""
        return self.written.total()

    @property
    def reads(self) -> float:
        """The read units of all."""
        return sum(self.read.values())


@contextmanager
def counted() -> Iterator[Units]:
    """Yield the units of the calls that are made meanwhile, whichever client makes them."""
    units = Units()
    call_action = DynamoHandler.call_action

    def watched(handler: Any) -> Any:
        operation, parameters = handler._get_action(), dict(handler.params)
        touched = list(_touched(operation, parameters))
        before = [_stored(table, key) for table, key in touched]
        answer = call_action(handler)
        if touched:
            doubled = 2 if operation == "TransactWriteItems" else 1
            for (table, key), old in zip(touched, before, strict=True):
                _count_write(units.written, _TABLES[table], old, _stored(table, key), key, doubled)
        for name, read in _read(operation, parameters, answer):
            units.read[name] = units.read.get(name, 0) + read
        return answer

    # By the short way, calls do not come through there.
    long_way = patch("infra.local.hitl_fixture.short_way.made", lambda *_: None)
    with long_way, patch.object(DynamoHandler, "call_action", watched):
        yield units


def _read(operation: str, parameters: Mapping[str, Any], answer: Any) -> Iterator[tuple[str, float]]:
    """Yield the units of what a call reads; of a query with a filter, no more than it returned."""
    if operation not in ("GetItem", "Query", "BatchGetItem"):
        return
    found = json.loads(answer[2])
    if operation == "BatchGetItem":
        for table, wanted in parameters["RequestItems"].items():
            there = found["Responses"].get(table, [])
            sizes = [size_of(item) for item in there] + [0] * (len(wanted["Keys"]) - len(there))
            yield table, sum(_quarters(size) for size in sizes) * _share(wanted)
        return
    items = found.get("Items", [found["Item"]] if "Item" in found else [])
    index = parameters.get("IndexName")
    yield (
        parameters["TableName"] + (f" {index}" if index else ""),
        (_quarters(sum(map(size_of, items))) * _share(parameters)),
    )


def _share(call: Mapping[str, Any]) -> float:
    return 1 if call.get("ConsistentRead") else 0.5


def _quarters(size: int) -> int:
    return max(1, math.ceil(size / 4096))


def _touched(operation: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """Yield the table and key of each item that a call writes, or whose condition it checks in a transaction."""
    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        yield parameters["TableName"], _key(parameters)
    for part in parameters.get("TransactItems", ()):
        write = next(part[name] for name in _PARTS if name in part)
        yield write["TableName"], _key(write)
    for table, requests in parameters.get("RequestItems", {}).items() if operation == "BatchWriteItem" else ():
        for request in requests:
            yield table, _key({"TableName": table, **next(iter(request.values()))})


def _key(write: Mapping[str, Any]) -> Item:
    table = _TABLES[write["TableName"]]
    found: Item = write.get("Key") or write["Item"]
    return {name: found[name] for name in (table.partition.name, table.sort.name)}


def _stored(table_name: str, key: Item) -> Item | None:
    found = dynamodb_backends[ACCOUNT][REGION].get_item(table_name, dict(key))
    attributes: Item | None = found.to_json()["Attributes"] if found is not None else None
    return attributes


def _count_write(
    units: Counter[str], table: Table, old: Item | None, new: Item | None, key: Item, doubled: int
) -> None:
    name = f"{table.name} {_kind(table, new or old or key)}"
    units[name] += doubled * _kilobytes(old, new)
    for index in table.indexes:
        before, after = _projected(table, index, old), _projected(table, index, new)
        if before == after:
            continue
        keys = (index.partition.name, index.sort.name)
        moved = before and after and any(before[one] != after[one] for one in keys)
        units[f"{name} {index.name}"] += _kilobytes(before) + _kilobytes(after) if moved else _kilobytes(before, after)


def _kind(table: Table, item: Item) -> str:
    if table.name == "audit":
        return item["kind"]["S"] if "kind" in item else "event"
    sort = str(item[table.sort.name].get("S", ""))
    return sort.partition("#")[0] if not sort.startswith("r#") else sort


def _projected(table: Table, index: Index, item: Item | None) -> Item | None:
    if item is None or index.partition.name not in item or index.sort.name not in item:
        return None
    names = {table.partition.name, table.sort.name, index.partition.name, index.sort.name, *index.carries}
    return {name: value for name, value in item.items() if name in names}


def _kilobytes(*items: Item | None) -> int:
    return max(1, math.ceil(max((size_of(item) for item in items if item), default=0) / 1024))


def size_of(item: Item) -> int:
    """Return an item's size in bytes: its names and values."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return len(value.lstrip("-").replace(".", "").strip("0")) // 2 + 2
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "L":
        return 3 + sum(1 + _size(one) for one in value)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _size(one) for name, one in value.items())
    if kind == "B":
        return len(value if isinstance(value, bytes) else base64.b64decode(value))
    return 3 + sum(len(str(one)) for one in value)
