"""The audit table: events are put once and read, never changed."""

import contextlib
import heapq
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind, deployment_of, deployment_subject, request_subject
from flow_hitl.audit.index import IndexedEvent, Period, place_in_day
from flow_hitl.audit.ports import AuditRecord
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import canonical_json, stored_json
from flow_hitl.platform.dynamodb import batch_get, item, values
from flow_hitl.platform.errors import NEVER_WRITTEN, NotAsLogged, NotFound
from flow_hitl.platform.packed import KILOBYTE, packed, unpacked
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.times import parse_rfc3339, rfc3339

_DAY_SHARDS = 4
# With a call for other records.
_MOST_TOGETHER = 60
_MEMBERS = ("subject", "seq", "event_id", "kind", "at", "actor", "data", "prev_hash", "hash")
_INDEX_KEYS = ("day_shard", "day_key")
# What the index keys, the seq, and the names of an item weigh.
_AROUND = 200


def put_event(table: str, event: AuditEvent, deployment_id: int) -> dict[str, Any]:
    """Return the transaction's part that adds an event of a deployment at a place of its chain that must be free."""
    indexed = IndexedEvent(deployment_id, event.subject, event.seq, event.at, event.hash)
    image = event_image(event) | item(_index_keys(indexed))
    return {"Put": {"TableName": table, "Item": image, "ConditionExpression": "attribute_not_exists(subject)"}}


def _index_keys(event: IndexedEvent) -> dict[str, str]:
    shard = zlib.crc32(event.subject.encode()) % _DAY_SHARDS
    return {"day_shard": f"{rfc3339(event.at)[:10]}#{shard}", "day_key": _day_key(event)}


def _day_key(event: IndexedEvent) -> str:
    return _deployment_key(event.deployment_id) + place_in_day(event.at, event.subject, event.seq)


def _deployment_key(deployment_id: int) -> str:
    """Return how the keys of a deployment's events begin: a day's events of one deployment lie side by side."""
    return f"{deployment_id:015d}#"


def event_image(event: AuditEvent) -> dict[str, Any]:
    """Return an event as an item of the table, and of its stream, holds it.

    Its data are deflated if it would otherwise weigh more than a kilobyte.
    """
    members, data = as_json(event), canonical_json(event.data)
    del members["data"]
    others = _AROUND + sum(len(str(value).encode()) for value in members.values())
    is_long = others + len(data.encode()) > KILOBYTE
    return item({**members, "data": packed(data) if is_long else data})


def data_text(stored: object) -> str:
    """Return the JSON text of an event's data as stored; raises ValueError for bytes that we never wrote."""
    return unpacked(stored)


def event_from_item(wire: Mapping[str, Any]) -> AuditEvent:
    """Return the event that an item of the table, or of its stream, holds."""
    return _event(values(wire))


def _event(record: Mapping[str, Any]) -> AuditEvent:
    """Return the event of a record; raises NotAsLogged for one that we never wrote."""
    try:
        event = AuditEvent(
            subject=record["subject"],
            seq=int(record["seq"]),
            event_id=record["event_id"],
            kind=EventKind(record["kind"]),
            at=parse_rfc3339(record["at"]),
            actor=record["actor"],
            data=stored_json(data_text(record["data"])),
            prev_hash=record["prev_hash"],
            hash=record["hash"],
        )
        texts = (event.event_id, event.actor, event.prev_hash, event.hash)
        if not (isinstance(event.data, dict) and all(isinstance(text, str) for text in texts)):
            raise TypeError("it has members of other types")
    except NEVER_WRITTEN as error:
        place = f"{record.get('subject')} event {record.get('seq')}"
        raise NotAsLogged(f"The audit log was changed: {place} is none that this service has written.") from error
    return event


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as it stands there: verification must see forged ones, too."""
    shown = {name: record.get(name) for name in _MEMBERS}
    if isinstance(shown["data"], bytes):
        shown["data"] = _text(shown["data"])
    # What we would have written otherwise, or never, is shown as the text that it is, which no hash fits.
    with contextlib.suppress(ValueError, RecursionError):
        shown["data"] = text = data_text(record.get("data"))
        data = json.loads(text)
        if canonical_json(data) == text:
            shown["data"] = data
    return {**shown, "seq": int(record["seq"])}


def _filed_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as stored; `misfiled` says what is wrong with its other attributes."""
    shown, wrong = _record(record), []
    if set(record) - {*_MEMBERS, *_INDEX_KEYS}:
        wrong.append("has more members than an event has")
    own = deployment_of(shown)
    with contextlib.suppress(ValueError):
        at = parse_rfc3339(str(shown["at"]))
        expected = _index_keys(IndexedEvent(own or 0, str(shown["subject"]), shown["seq"], at, ""))
        if own is not None and any(record.get(key) != value for key, value in expected.items()):
            wrong.append("is listed in the log's index as another event")
    return {**shown, "misfiled": wrong} if wrong else shown


def _indexed(row: Mapping[str, Any]) -> Iterator[IndexedEvent]:
    """Yield the event of a row, or nothing for one that we never wrote: its chain tells of it."""
    with contextlib.suppress(ValueError):
        deployment_id, at, _ = str(row["day_key"]).split("#", 2)
        hashed = _text(row.get("hash", ""))
        yield IndexedEvent(int(deployment_id), row["subject"], int(row["seq"]), parse_rfc3339(at), hashed)


def _text(value: object) -> str:
    """Return a text, also of bytes, which boto3 cannot show as one."""
    return value if isinstance(value, str) else repr(value)


def _moment(text: object) -> datetime:
    """Return a moment, or for what is none (somebody has changed it) one before all others."""
    try:
        return parse_rfc3339(str(text))
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)


class DynamoAuditLog:
    """The events and their index by day; `pause` waits where DynamoDB does not keep up."""

    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def timeline(self, request_id: str) -> Sequence[AuditEvent]:
        """Return all events of a request in order, read consistently."""
        return [event_from_item(wire) for wire in self._chain(request_subject(request_id))]

    def later(self, request_id: str, seq: int) -> Iterator[AuditEvent]:
        """Yield the events of a request behind a place of its chain, in order, read consistently."""
        return map(event_from_item, self._chain(request_subject(request_id), seq))

    def chain(self, subject: str) -> Sequence[AuditRecord]:
        """Return all events of a chain as stored, read consistently, with `misfiled`: see AuditArchive."""
        return [_filed_record(values(wire)) for wire in self._chain(subject)]

    def indexed(
        self, period: Period, deployment_id: int | None = None, after: IndexedEvent | None = None, ahead: int = 1000
    ) -> Iterator[IndexedEvent]:
        begin = _deployment_key(deployment_id) if deployment_id is not None else ""
        rows = heapq.merge(
            *(self._shard(period, shard, begin, after, ahead) for shard in range(_DAY_SHARDS)),
            key=lambda row: str(row["day_key"]),
        )
        found = (event for row in rows for event in _indexed(row))
        return (event for event in found if period.holds(event.at))

    def records(self, events: Sequence[IndexedEvent]) -> Sequence[AuditRecord]:
        return self._records(events, consistent=True)

    def settled(self, events: Sequence[IndexedEvent]) -> Sequence[AuditRecord]:
        return self._records(events, consistent=False)

    def _records(self, events: Sequence[IndexedEvent], *, consistent: bool) -> Sequence[AuditRecord]:
        keys = [{"subject": event.subject, "seq": event.seq} for event in events]
        found = {(record["subject"], record["seq"]): record for record in self._batch_get(keys, consistent=consistent)}
        return [found[key] for key in map(itemgetter("subject", "seq"), keys) if key in found]

    def first_events(self, deployment_ids: Sequence[int]) -> Mapping[int, IndexedEvent]:
        ids = {deployment_subject(deployment_id): deployment_id for deployment_id in deployment_ids}
        found = self._batch_get([{"subject": subject, "seq": 1} for subject in ids])
        return {
            ids[record["subject"]]: IndexedEvent(
                ids[record["subject"]], record["subject"], 1, _moment(record["at"]), _text(record["hash"])
            )
            for record in found
        }

    def event(self, request_id: str, seq: int) -> AuditEvent:
        """Return one event, read consistently; raises NotFound."""
        reading = self.reading(request_id, seq)
        key = item(reading.keys[0])
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return reading.made([values(found)] if found else [])

    def reading(self, request_id: str, seq: int) -> Reading[AuditEvent]:
        """Return the reading of one event; it raises NotFound."""

        def made(records: Sequence[Mapping[str, Any]]) -> AuditEvent:
            if not records:
                raise NotFound(f"Request {request_id} has no event {seq}.")
            return _event(records[0])

        return Reading(self._table, [{"subject": request_subject(request_id), "seq": seq}], made, never_change=True)

    def reading_first(self, request_id: str, number: int) -> Reading[Sequence[AuditEvent]]:
        """Return the reading of a request's first events; many are read in a call of their own."""
        if number > _MOST_TOGETHER:
            return Reading(self._table, [], lambda _: self.timeline(request_id)[:number], never_change=True)
        subject = request_subject(request_id)
        keys = [{"subject": subject, "seq": seq} for seq in range(1, number + 1)]
        return Reading(self._table, keys, lambda records: [*map(_event, records)], never_change=True)

    def changes(self, deployment_id: int, seq: int, limit: int) -> Sequence[AuditEvent]:
        found = self._client.query(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="subject = :subject AND seq > :seq",
            ExpressionAttributeValues=item({":subject": deployment_subject(deployment_id), ":seq": seq}),
            Limit=limit,
        )
        return [event_from_item(wire) for wire in found["Items"]]

    def _chain(self, subject: str, after: int | None = None) -> Iterator[Mapping[str, Any]]:
        # A forged event may have any seq, so a whole chain is not asked for from a first one.
        behind = {":seq": after} if after is not None else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="subject = :subject" + (" AND seq > :seq" if behind else ""),
            ExpressionAttributeValues=item({":subject": subject, **behind}),
        )
        for page in pages:
            yield from page["Items"]

    def _shard(
        self, period: Period, shard: int, begin: str, after: IndexedEvent | None, ahead: int
    ) -> Iterator[Mapping[str, Any]]:
        """Yield a shard's rows of a deployment (its keys begin with `begin`) in a period, or all of a day's."""
        names = {":shard": f"{rfc3339(period.since)[:10]}#{shard}"}
        condition = "day_shard = :shard"
        low = _day_key(after) if after is not None else f"{begin}{rfc3339(period.since)}"
        if begin:
            # A key goes on after its moment, so those of the moment `until` are behind this.
            names |= {":low": low, ":high": f"{begin}{rfc3339(period.until)}"}
            condition += " AND day_key BETWEEN :low AND :high"
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="by_day",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=item(names),
            PaginationConfig={"PageSize": ahead},
        )
        for page in pages:
            yield from (row for row in map(values, page["Items"]) if after is None or row["day_key"] > low)

    def _batch_get(self, keys: Sequence[Mapping[str, Any]], *, consistent: bool = True) -> Iterator[dict[str, Any]]:
        return map(_record, batch_get(self._client, self._table, keys, self._pause, consistent=consistent))
