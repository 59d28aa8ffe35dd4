"""How far the sweep has come, and what it is to look at later."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter

from flow_hitl.audit.effect_log import effect_key
from flow_hitl.platform.aws_errors import unknown
from flow_hitl.platform.dynamodb import batch_delete, batch_put, item, put_if, values
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.ports import SealStore
from flow_hitl.sweep.agenda import Entry
from flow_hitl.sweep.watermark import Watermark

_marks, _entries = TypeAdapter(Watermark), TypeAdapter(Entry)
_KEY = {"pk": "sweep", "sk": "watermark"}
_KEPT = timedelta(days=90)


class DynamoWatermarks:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self) -> Watermark | None:
        found = self._client.get_item(TableName=self._table, Key=item(_KEY), ConsistentRead=True).get("Item")
        return _marks.validate_json(values(found)["doc"]) if found else None

    def save(self, mark: Watermark) -> None:
        record = {**_KEY, "doc": _marks.dump_json(mark).decode(), "version": mark.version}
        before = mark.version - 1
        condition = "version = :version" if before else "attribute_not_exists(pk)"
        if not put_if(self._client, self._table, record, condition, {":version": before} if before else {}):
            raise Conflict("another sweep has moved the watermark")


class DynamoAgenda:
    """A partition for each day, in the order of the entries' moments."""

    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def add(self, entries: Sequence[Entry]) -> None:
        records = {
            tuple(_entry_key(entry).values()): {
                **_entry_key(entry),
                "doc": _entries.dump_json(entry).decode(),
                "ttl": int((entry.at + _KEPT).timestamp()),
            }
            for entry in entries
        }
        batch_put(self._client, self._table, list(records.values()), self._pause)

    def due(self, day: datetime, now: datetime, limit: int) -> Sequence[Entry]:
        found = self._client.query(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND sk < :behind",
            # A key goes on after its moment.
            ExpressionAttributeValues=item({":pk": _day(day), ":behind": f"{rfc3339(now)}~"}),
            Limit=limit,
        )["Items"]
        return [_entries.validate_json(values(row)["doc"]) for row in found]

    def of_day(self, day: datetime) -> Iterator[Entry]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": _day(day)}),
        )
        return (_entries.validate_json(values(row)["doc"]) for page in pages for row in page["Items"])

    def remove(self, entries: Sequence[Entry]) -> None:
        batch_delete(self._client, self._table, [item(_entry_key(entry)) for entry in entries], self._pause)


class SealEnds:
    """The ends of the digests in the seal's bucket, by one listing that begins where it matters."""

    def __init__(self, seals: SealStore) -> None:
        self._seals = seals

    def latest(self, since: datetime) -> datetime | Unknown | None:
        try:
            ends = list(self._seals.ends(after=rfc3339(since - timedelta(seconds=1))))
        except (BotoCoreError, ClientError) as error:
            return unknown(error)
        return parse_rfc3339(ends[-1]) if ends else None


def _day(moment: datetime) -> str:
    return f"agenda#{rfc3339(moment)[:10]}"


def _entry_key(entry: Entry) -> dict[str, str]:
    matter = entry.matter
    name = effect_key(matter.effect)["sk"] if matter.effect is not None else rfc3339(matter.since)
    return {"pk": _day(entry.at), "sk": f"{rfc3339(entry.at)}#{matter.topic}#{matter.subject}#{name}"}
