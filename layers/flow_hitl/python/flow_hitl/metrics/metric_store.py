"""The figures' buckets in the deployments table, an item for each, with its counters.

What a run of events adds is a cut. Its end is written first, then each bucket with the cut's number, on condition that
it has not got it, then the set's new place in the log: whoever dies or comes twice in between adds nothing twice.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from flow_hitl.metrics.metrics import (
    ALL_TIME,
    Bucket,
    Cut,
    Dimension,
    Generation,
    Generations,
    Progress,
    Span,
    Tallies,
    Tally,
    is_month,
)
from flow_hitl.metrics.ports import MetricReading
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import batch_delete, batch_get, error_code, item, put_if, values
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.unreadable import known

_generations, _progress = TypeAdapter(Generations), TypeAdapter(Progress)
_GENERATIONS, _POSITION = "generations", "position#"
# A text: numbers are counters.
_CUT = "cut"
# Each is a megabyte: some thousand buckets.
_MAX_PAGES = 4
_UNREADABLE = "What is stored of the figures is nothing that this service has written. Rebuild them."
_REMOVED_AT_ONCE = 500


class DynamoMetricStore:
    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def generations(self, deployment_id: int) -> Generations:
        found = self._client.query(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": _state_pk(deployment_id)}),
        )["Items"]
        return known(lambda: _generations_of([values(record) for record in found]), _UNREADABLE)

    def begin(self, deployment_id: int, generations: Generations) -> None:
        new = generations.building
        if new is not None and new.progress is not None:
            # First: nobody adds to the set before the generations name it. One that is there is the same.
            record = {**_position_key(deployment_id, new.number), **_position(new.progress)}
            put_if(self._client, self._table, record, "attribute_not_exists(pk)", {})
        self.save(deployment_id, generations)

    def save(self, deployment_id: int, generations: Generations) -> None:
        doc = _generations.dump_json(generations, exclude={"live": {"progress"}, "building": {"progress"}}).decode()
        key = {"pk": _state_pk(deployment_id), "sk": _GENERATIONS}
        before = generations.version - 1
        condition = "version = :version" if before else "attribute_not_exists(pk)"
        record = {**key, "doc": doc, "version": generations.version}
        if not put_if(self._client, self._table, record, condition, {":version": before} if before else {}):
            raise _moved(deployment_id)

    def fold(self, deployment_id: int, number: int, progress: Progress, cut: Cut) -> Progress:
        done: set[Bucket] = set()
        if progress.ahead is not None:
            # Runs that die in it again and again come to its end all the same.
            done = self._with_cut(deployment_id, number, cut.tallies, progress.number)
        elif cut.tallies:
            progress = self._move(deployment_id, number, progress.begun(cut))
        for bucket, tally in cut.tallies.items():
            if bucket not in done:
                self._add(deployment_id, number, bucket, tally, progress.number)
        return self._move(deployment_id, number, progress.moved(cut))

    def _move(self, deployment_id: int, number: int, progress: Progress) -> Progress:
        record = {**_position_key(deployment_id, number), **_position(progress)}
        read = {":version": progress.version - 1}
        if not put_if(self._client, self._table, record, "version = :version", read):
            raise _moved(deployment_id)
        return progress

    def read(self, deployment_id: int, number: int, dimension: Dimension, spans: Sequence[Span]) -> MetricReading:
        found: list[Mapping[str, Any]] = []
        complete = True
        for span in spans:
            for page in islice(self._pages(deployment_id, number, dimension, span), _MAX_PAGES):
                found += page["Items"]
            complete = complete and "LastEvaluatedKey" not in page
        return known(lambda: _reading({_bucket(dimension, one): one for one in found}, complete=complete), _UNREADABLE)

    def contents(self, deployment_id: int, number: int, span: Span) -> Tallies:
        return {
            _bucket(dimension, wire): _tally(wire)
            for dimension in Dimension
            for page in self._pages(deployment_id, number, dimension, span)
            for wire in page["Items"]
        }

    def all_time(self, deployment_id: int, number: int) -> MetricReading:
        bucket = Bucket(Dimension.TOTAL, ALL_TIME)
        key = item(_key(deployment_id, number, bucket))
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return known(lambda: _reading({bucket: found} if found else {}, complete=True), _UNREADABLE)

    def remove(self, deployment_id: int, number: int) -> Iterator[None]:
        # First: what somebody still adds is in the table by now, or refused.
        self._client.delete_item(TableName=self._table, Key=item(_position_key(deployment_id, number)))
        for dimension in Dimension:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                ConsistentRead=True,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=item({":pk": _pk(deployment_id, number, dimension)}),
                ProjectionExpression="pk, sk",
                PaginationConfig={"PageSize": _REMOVED_AT_ONCE},
            )
            for page in pages:
                batch_delete(self._client, self._table, page["Items"], self._pause)
                yield

    def _pages(self, deployment_id: int, number: int, dimension: Dimension, span: Span) -> Iterator[Mapping[str, Any]]:
        pk = _pk(deployment_id, number, dimension)
        ends = {":first": _sort_prefix(span.first), ":last": f"{_sort_prefix(span.last)}~"}
        pages: Iterator[Mapping[str, Any]] = iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table,
                ConsistentRead=True,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues=item({":pk": pk, **ends}),
            )
        )
        return pages

    def _with_cut(self, deployment_id: int, number: int, buckets: Iterable[Bucket], cut: int) -> set[Bucket]:
        """Return the buckets that have a cut."""
        keys = {bucket: _key(deployment_id, number, bucket) for bucket in buckets}
        found = batch_get(self._client, self._table, keys.values(), self._pause)
        having = {(one["pk"], one["sk"]) for one in found if int(one.get(_CUT, 0)) >= cut}
        return {bucket for bucket, key in keys.items() if (key["pk"], key["sk"]) in having}

    def _add(self, deployment_id: int, number: int, bucket: Bucket, tally: Tally, cut: int) -> None:
        """Add what a cut has for a bucket, unless the bucket has it."""
        names = {f"#c{place}": name for place, name in enumerate(tally)}
        numbers = {f":c{place}": amount for place, amount in enumerate(tally.values())}
        added = ", ".join(f"#c{place} :c{place}" for place in range(len(tally)))
        # Set each time: the key holds only a digest of these.
        labels = {"value": bucket.value, "outcome": bucket.outcome, _CUT: f"{cut:015d}"}
        labels = {name: text for name, text in labels.items() if text is not None}
        said = ", ".join(f"#{name} = :{name}" for name in labels)
        try:
            self._client.update_item(
                TableName=self._table,
                Key=item(_key(deployment_id, number, bucket)),
                UpdateExpression=f"SET {said} ADD {added}",
                ConditionExpression=f"attribute_not_exists(#{_CUT}) OR #{_CUT} < :{_CUT}",
                ExpressionAttributeNames={**names, **{f"#{name}": name for name in labels}},
                ExpressionAttributeValues=item({**numbers, **{f":{name}": text for name, text in labels.items()}}),
            )
        except ClientError as error:
            # Added by another run, or by this one before it died or lost the answer.
            if error_code(error) != "ConditionalCheckFailedException":
                raise


def _generations_of(records: Sequence[Mapping[str, Any]]) -> Generations:
    docs = {record["sk"]: record["doc"] for record in records}

    def placed(generation: Generation) -> Generation:
        doc = docs.get(f"{_POSITION}{generation.number}")
        return replace(generation, progress=_progress.validate_json(doc) if doc is not None else None)

    stored = _generations.validate_json(docs[_GENERATIONS]) if _GENERATIONS in docs else Generations()
    building = placed(stored.building) if stored.building is not None else None
    return replace(stored, live=placed(stored.live), building=building)


def _reading(found: Mapping[Bucket, Mapping[str, Any]], *, complete: bool) -> MetricReading:
    tallies = {bucket: _tally(wire) for bucket, wire in found.items()}
    cuts = {bucket: int(wire[_CUT]["S"]) for bucket, wire in found.items() if _CUT in wire}
    return MetricReading(tallies, complete, cuts)


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


def _state_pk(deployment_id: int) -> str:
    return f"metrics#{deployment_id}"


def _position_key(deployment_id: int, number: int) -> dict[str, str]:
    return {"pk": _state_pk(deployment_id), "sk": f"{_POSITION}{number}"}


def _position(progress: Progress) -> dict[str, Any]:
    return {"doc": _progress.dump_json(progress, exclude_none=True).decode(), "version": progress.version}


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


def _moved(deployment_id: int) -> Conflict:
    return Conflict(f"the figures of deployment {deployment_id} have changed by now")
