"""Items of several tables in one call of DynamoDB."""

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from flow_hitl.platform.dynamodb import MOST_READ, item, until_processed, values
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.rounds import in_rounds

_ROUNDS = 5


class DynamoReader:
    """Makes readings with one BatchGetItem; `pause` waits where DynamoDB does not keep up."""

    def __init__(self, client: Any, pause: Callable[[int], None]) -> None:
        self._client, self._pause = client, pause

    def __call__(self, *readings: Reading[Any]) -> Any:
        return in_rounds(lambda: self._attempt(readings), self._pause, _ROUNDS)

    def _attempt(self, readings: tuple[Reading[Any], ...]) -> tuple[Any, ...]:
        wanted: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = {}
        for reading in readings:
            place = _place_of(reading)
            wanted.setdefault(reading.table, {}).update({place(key): item(key) for key in reading.keys})
        if sum(map(len, wanted.values())) > MOST_READ:
            raise ValueError(f"one call of DynamoDB reads {MOST_READ} items at most")
        found: dict[str, list[dict[str, Any]]] = {table: [] for table in wanted}

        def read(left: Any) -> Any:
            answer = self._client.batch_get_item(RequestItems=left)
            for table, wires in answer["Responses"].items():
                found[table] += map(values, wires)
            return answer.get("UnprocessedKeys")

        # Any copy costs half. Of what never changes it has the whole truth, unless it does not have it yet.
        consistent = {reading.table for reading in readings if not (reading.never_change or reading.may_lag)}
        asked = {
            table: {"Keys": list(keys.values()), **({"ConsistentRead": True} if table in consistent else {})}
            for table, keys in wanted.items()
            if keys
        }
        until_processed(read, asked, self._pause)
        late: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = {}
        for reading in readings:
            if reading.never_change and reading.table not in consistent:
                late.setdefault(reading.table, {}).update(_missing(reading, found[reading.table]))
        if left := {t: {"Keys": list(keys.values()), "ConsistentRead": True} for t, keys in late.items() if keys}:
            until_processed(read, left, self._pause)
        return tuple(_made(reading, found[reading.table]) for reading in readings)


def _missing(reading: Reading[Any], found: list[dict[str, Any]]) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    place = _place_of(reading)
    there = set(map(place, found))
    for key in reading.keys:
        if place(key) not in there:
            yield place(key), item(key)


def _made(reading: Reading[Any], found: list[dict[str, Any]]) -> Any:
    place = _place_of(reading)
    there = {place(record): record for record in found}
    return reading.made([there[place(key)] for key in reading.keys if place(key) in there])


def _place_of(reading: Reading[Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Return what tells the place of a record, or of a key, in a reading's table."""
    return itemgetter(*sorted(reading.keys[0])) if reading.keys else lambda _record: None
