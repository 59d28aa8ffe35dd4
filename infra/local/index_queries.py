"""Queries of an index in the emulator's process, whose cost is that of what they ask for.

ministack compares and sorts a whole partition for each page. With tens of thousands of events in one, whoever reads
them page by page never comes to an end.
"""

import heapq
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Conditions as ours have them; a query with another one sees the whole partition.
_CONDITION = re.compile(r"\w+ = :\w+(?: AND \w+ BETWEEN (:\w+) AND (:\w+))?")

Key = tuple[str, str]


class NarrowQueries:
    """Shows a query of an index only the entries that its page may have; sort keys are text."""

    def __init__(self, dynamodb: Any) -> None:
        """Take over from ministack's module `dynamodb`."""
        self._query, self._index_members = dynamodb._query, dynamodb._index_members
        self._keys_of: Callable[[Any, str], Any] = dynamodb._resolve_index_keys
        self._own = threading.local()
        dynamodb._query, dynamodb._index_members = self.query, self.members

    def query(self, asked: Mapping[str, Any]) -> Any:
        """Answer a query as ministack does."""
        narrow = "IndexName" in asked and _CONDITION.fullmatch(asked.get("KeyConditionExpression", ""))
        self._own.asked = asked if narrow else None
        try:
            return self._query(asked)
        finally:
            self._own.asked = None

    def members(self, table: Mapping[str, Any]) -> Any:
        """Return the keys of each index's entries by partition: those of a query's page only while it runs."""
        indexes, asked = self._index_members(table), getattr(self._own, "asked", None)
        if asked is None:
            return indexes
        name = asked["IndexName"]
        return {name: _Page(table, self._keys_of(table, name)[1], indexes[name], asked)} if name in indexes else indexes


class _Page:
    """An index of which each partition has only what may be on a page of a query."""

    def __init__(
        self, table: Mapping[str, Any], sort_key: str, index: Mapping[Any, Iterable[Key]], asked: Mapping[str, Any]
    ) -> None:
        self._table, self._sort_key, self._index, self._asked = table, sort_key, index, asked

    def get(self, partition: Any, default: Iterable[Key] = ()) -> Iterable[Key]:
        """Return the keys of a partition's entries that the query may answer with, and of a few more."""
        rows, (low, high, passed) = self._table["items"], self._bounds()
        found = [
            (value, key)
            for key in self._index.get(partition, default)
            if low <= (value := rows[key[0]][key[1]][self._sort_key]["S"]) <= high
        ]
        if (limit := self._asked.get("Limit")) is not None:
            values = [value for value, _ in found]
            # Entries with the value at which the page before ended may have been on it.
            most = int(limit) + values.count(passed)
            if self._forward:
                last = max(heapq.nsmallest(most, values), default="")
                found = [one for one in found if one[0] <= last]
            else:
                last = min(heapq.nlargest(most, values), default="")
                found = [one for one in found if one[0] >= last]
        return [key for _, key in found]

    @property
    def _forward(self) -> bool:
        return bool(self._asked.get("ScanIndexForward", True))

    def _bounds(self) -> tuple[str, str, str]:
        """Return the first and last sort key that are asked for, and the one where the page before ended."""
        low, high, passed = "", "\U0010ffff", ""
        condition = _CONDITION.fullmatch(self._asked["KeyConditionExpression"])
        if condition and condition[1]:
            low, high = (self._asked["ExpressionAttributeValues"][name]["S"] for name in condition.groups())
        if start := self._asked.get("ExclusiveStartKey"):
            passed = start[self._sort_key]["S"]
            low, high = (max(low, passed), high) if self._forward else (low, min(high, passed))
        return low, high, passed
