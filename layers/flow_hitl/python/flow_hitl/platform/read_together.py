"""Items of several tables in one call of DynamoDB."""

from collections.abc import Callable, Mapping
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
            wanted.setdefault(reading.table, {}).update({_place(key, key): item(key) for key in reading.keys})
        if sum(map(len, wanted.values())) > MOST_READ:
            raise ValueError(f"one call of DynamoDB reads {MOST_READ} items at most")
        found: dict[str, list[dict[str, Any]]] = {table: [] for table in wanted}

        def read(left: Any) -> Any:
            answer = self._client.batch_get_item(RequestItems=left)
            for table, wires in answer["Responses"].items():
                found[table] += map(values, wires)
            return answer.get("UnprocessedKeys")

        # Any copy has the whole truth of what never changes, for half the price, unless it does not have it yet.
        may_lag = wanted.keys() - {reading.table for reading in readings if not reading.never_change}
        asked = {
            table: {"Keys": list(keys.values()), **({} if table in may_lag else {"ConsistentRead": True})}
            for table, keys in wanted.items()
            if keys
        }
        until_processed(read, asked, self._pause)
        if late := {table: left for table in may_lag if (left := _missing(wanted[table], found[table]))}:
            until_processed(read, {t: {"Keys": left, "ConsistentRead": True} for t, left in late.items()}, self._pause)
        return tuple(_made(reading, found[reading.table]) for reading in readings)


def _missing(
    wanted: Mapping[tuple[Any, ...], Mapping[str, Any]], found: list[dict[str, Any]]
) -> list[Mapping[str, Any]]:
    if len(found) == len(wanted):
        return []
    return [wire for wire in wanted.values() if not any(values(wire).items() <= record.items() for record in found)]


def _made(reading: Reading[Any], found: list[dict[str, Any]]) -> Any:
    if not reading.keys:
        return reading.made([])
    there = {_place(reading.keys[0], record): record for record in found}
    places = [_place(key, key) for key in reading.keys]
    return reading.made([there[place] for place in places if place in there])


def _place(key: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in sorted(key))
