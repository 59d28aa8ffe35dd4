"""The figures' buckets in the deployments table, an item for each, with its counters.

Each write is a transaction that requires the deployment's generations to be those that the writer read. What an event
adds is written with a marker of the event, so that it is added only once.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from flow_hitl.metrics.metrics import (
    ALL_TIME,
    Bucket,
    Dimension,
    Generations,
    Measurement,
    Span,
    Tallies,
    Tally,
    is_month,
    merged,
)
from flow_hitl.metrics.ports import MetricReading
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import batch_delete, batch_get, cancellation_codes, item, put_if, transact, values
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.rounds import in_rounds

_generations = TypeAdapter(Generations)
_GENERATIONS = "generations"
_EVENT = "event"
# Longer than any of our queues keeps a message, so no duplicate outlives its marker.
_MARKER_DAYS = 90
# DynamoDB's limit per transaction; an expression has at most 300 operators and 4 KB.
_MAX_PARTS = 100
_MAX_COUNTERS = 100
# Each is a megabyte: some thousand buckets.
_MAX_PAGES = 4


class DynamoMetricStore:
    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def generations(self, deployment_id: int) -> Generations:
        key = item(_state_key(deployment_id))
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _generations.validate_json(values(found)["doc"]) if found else Generations()

    def save(self, deployment_id: int, generations: Generations) -> None:
        doc = _generations.dump_json(generations).decode()
        record = {**_state_key(deployment_id), "doc": doc, "version": generations.version}
        before = generations.version - 1
        condition = "version = :version" if before else "attribute_not_exists(pk)"
        if not put_if(self._client, self._table, record, condition, {":version": before} if before else {}):
            raise _moved(deployment_id)

    def record(
        self, deployment_id: int, generations: Generations, number: int, measured: Sequence[Measurement], now: datetime
    ) -> None:
        ttl = int((now + timedelta(days=_MARKER_DAYS)).timestamp())
        for chunk in _chunks(measured):
            pending = list({each.event_id: each for each in chunk}.values())
            while pending:
                markers = [self._marker(deployment_id, number, each.event_id, ttl) for each in pending]
                sums = merged(each.tallies for each in pending)
                updates = [self._update(deployment_id, number, bucket, tally) for bucket, tally in sums.items()]
                codes = self._transact(deployment_id, generations, [*markers, *updates])
                if not codes:
                    break
                pending = [each for each, code in zip(pending, codes, strict=False) if code != "ConditionalCheckFailed"]

    def uncounted(self, deployment_id: int, measured: Sequence[Measurement]) -> Set[str]:
        live = self.generations(deployment_id).live
        keys = {
            each.event_id: _marker_key(deployment_id, live.number, each.event_id)
            for each in measured
            if live.takes(each.at)
        }
        found = batch_get(self._client, self._table, keys.values(), self._pause, consistent=False)
        marked = {marker["pk"] for marker in found}
        return {event_id for event_id, key in keys.items() if key["pk"] not in marked}

    def add(self, deployment_id: int, generations: Generations, number: int, tallies: Tallies, name: str) -> None:
        for place, pieces in enumerate(_pieces(tallies)):
            parts = [self._update(deployment_id, number, bucket, tally) for bucket, tally in pieces]
            # If the answer was lost, DynamoDB recognizes the token.
            token = _digest([deployment_id, number, name, place])
            in_rounds(partial(self._transact, deployment_id, generations, parts, token), self._pause)

    def read(self, deployment_id: int, number: int, dimension: Dimension, spans: Sequence[Span]) -> MetricReading:
        tallies: dict[Bucket, Tally] = {}
        complete = True
        for span in spans:
            for page in islice(self._pages(deployment_id, number, dimension, span), _MAX_PAGES):
                tallies |= {_bucket(dimension, wire): _tally(wire) for wire in page["Items"]}
            complete = complete and "LastEvaluatedKey" not in page
        return MetricReading(tallies, complete)

    def contents(self, deployment_id: int, number: int, span: Span) -> Tallies:
        return {
            _bucket(dimension, wire): _tally(wire)
            for dimension in Dimension
            for page in self._pages(deployment_id, number, dimension, span)
            for wire in page["Items"]
        }

    def all_time(self, deployment_id: int, number: int) -> Tally:
        key = item(_key(deployment_id, number, Bucket(Dimension.TOTAL, ALL_TIME)))
        found = self._client.get_item(TableName=self._table, Key=key).get("Item")
        return _tally(found) if found else Counter()

    def remove(self, deployment_id: int, number: int) -> None:
        for dimension in Dimension:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=item({":pk": _pk(deployment_id, number, dimension)}),
                ProjectionExpression="pk, sk",
            )
            for page in pages:
                batch_delete(self._client, self._table, page["Items"], self._pause)

    def _pages(self, deployment_id: int, number: int, dimension: Dimension, span: Span) -> Iterator[Mapping[str, Any]]:
        pk = _pk(deployment_id, number, dimension)
        ends = {":first": _sort_prefix(span.first), ":last": f"{_sort_prefix(span.last)}~"}
        pages: Iterator[Mapping[str, Any]] = iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues=item({":pk": pk, **ends}),
            )
        )
        return pages

    def _transact(
        self, deployment_id: int, generations: Generations, parts: Sequence[Mapping[str, Any]], token: str | None = None
    ) -> list[str]:
        """Write all or nothing; return [] on success, else why each part was refused if a condition failed."""
        state = {"TableName": self._table, "Key": item(_state_key(deployment_id)), **_is_version(generations.version)}
        try:
            transact(self._client, [{"ConditionCheck": state}, *parts], token)
        except ClientError as error:
            codes = cancellation_codes(error)
            if "ConditionalCheckFailed" not in codes:
                raise
            if codes[0] == "ConditionalCheckFailed":
                raise _moved(deployment_id) from None
            return codes[1:]
        return []

    def _marker(self, deployment_id: int, number: int, event_id: str, ttl: int) -> dict[str, Any]:
        record = {**_marker_key(deployment_id, number, event_id), "ttl": ttl}
        condition = "attribute_not_exists(pk)"
        return {"Put": {"TableName": self._table, "Item": item(record), "ConditionExpression": condition}}

    def _update(self, deployment_id: int, number: int, bucket: Bucket, tally: Tally) -> dict[str, Any]:
        names = {f"#c{place}": name for place, name in enumerate(tally)}
        numbers = {f":c{place}": amount for place, amount in enumerate(tally.values())}
        added = ", ".join(f"#c{place} :c{place}" for place in range(len(tally)))
        # Set each time: the key holds only a digest of these.
        labels = {"value": bucket.value, "outcome": bucket.outcome}
        labels = {name: text for name, text in labels.items() if text is not None}
        said = ", ".join(f"#{name} = :{name}" for name in labels)
        return {
            "Update": {
                "TableName": self._table,
                "Key": item(_key(deployment_id, number, bucket)),
                "UpdateExpression": f"SET {said} ADD {added}",
                "ExpressionAttributeNames": {**names, **{f"#{name}": name for name in labels}},
                "ExpressionAttributeValues": item({**numbers, **{f":{name}": text for name, text in labels.items()}}),
            }
        }


def _chunks(measured: Sequence[Measurement]) -> Iterator[list[Measurement]]:
    """Split events into transactions, with a marker for each event and an update for each bucket."""
    chunk: list[Measurement] = []
    buckets: set[Bucket] = set()
    for each in measured:
        if chunk and 1 + len(chunk) + 1 + len(buckets.union(each.tallies)) > _MAX_PARTS:
            yield chunk
            chunk, buckets = [], set()
        chunk.append(each)
        buckets.update(each.tallies)
    if chunk:
        yield chunk


def _pieces(tallies: Tallies) -> Iterator[Sequence[tuple[Bucket, Tally]]]:
    """Split tallies into transactions that fit the limits and write no item twice."""
    longest = max((len(tally) for tally in tallies.values()), default=0)
    for start in range(0, longest, _MAX_COUNTERS):
        cut = ((bucket, dict(islice(tally.items(), start, start + _MAX_COUNTERS))) for bucket, tally in tallies.items())
        pieces = [(bucket, tally) for bucket, tally in cut if tally]
        for first in range(0, len(pieces), _MAX_PARTS - 1):
            yield pieces[first : first + _MAX_PARTS - 1]


def _bucket(dimension: Dimension, wire: Mapping[str, Any]) -> Bucket:
    period = str(wire["sk"]["S"]).split("#")[1]
    return Bucket(dimension, period, wire["value"]["S"], wire["outcome"]["S"] if "outcome" in wire else None)


def _tally(wire: Mapping[str, Any]) -> Tally:
    return {name: int(value["N"]) for name, value in wire.items() if "N" in value}


def _key(deployment_id: int, number: int, bucket: Bucket) -> dict[str, str]:
    # Names may be too long for a key.
    digest = _digest([bucket.value, bucket.outcome])
    return {"pk": _pk(deployment_id, number, bucket.dimension), "sk": f"{_sort_prefix(bucket.period)}#{digest}"}


def _sort_prefix(period: str) -> str:
    return f"{'month' if is_month(period) else 'day'}#{period}"


def _pk(deployment_id: int, number: int, what: str) -> str:
    return f"metrics#{deployment_id}#{number}#{what}"


def _marker_key(deployment_id: int, number: int, event_id: str) -> dict[str, str]:
    return {"pk": f"{_pk(deployment_id, number, _EVENT)}#{event_id}", "sk": _EVENT}


def _state_key(deployment_id: int) -> dict[str, str]:
    return {"pk": f"metrics#{deployment_id}", "sk": _GENERATIONS}


def _is_version(version: int) -> dict[str, Any]:
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    values = item({":version": version})
    return {"ConditionExpression": "version = :version", "ExpressionAttributeValues": values}


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


def _moved(deployment_id: int) -> Conflict:
    return Conflict(f"the figures of deployment {deployment_id} are of another generation by now")
