"""The audit table: events are put once and read, never changed."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from flow_hitl.adapters.dynamodb import item, values
from flow_hitl.domain.audit import AuditEvent, EventKind, canonical_json, request_subject
from flow_hitl.domain.errors import NotFound
from flow_hitl.domain.times import parse_rfc3339, rfc3339

_DAY_SHARDS = 8


def put_event(table: str, event: AuditEvent) -> dict[str, Any]:
    """Return the transaction's part that adds an event at a place of its chain that must be free."""
    at = rfc3339(event.at)
    shard = zlib.crc32(event.subject.encode()) % _DAY_SHARDS
    record = {
        **event.to_dict(),
        "data": canonical_json(event.data),
        "day_shard": f"{at[:10]}#{shard}",
        "day_key": f"{at}#{event.event_id}",
    }
    return {"Put": {"TableName": table, "Item": item(record), "ConditionExpression": "attribute_not_exists(subject)"}}


def event_from_item(wire: Mapping[str, Any]) -> AuditEvent:
    """Return the event that an item of the table, or of its stream, holds."""
    record = values(wire)
    return AuditEvent(
        subject=record["subject"],
        seq=int(record["seq"]),
        event_id=record["event_id"],
        kind=EventKind(record["kind"]),
        at=parse_rfc3339(record["at"]),
        actor=record["actor"],
        data=json.loads(record["data"]),
        prev_hash=record["prev_hash"],
        hash=record["hash"],
    )


class DynamoAuditLog:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def timeline(self, request_id: str) -> Sequence[AuditEvent]:
        """Return all events of a request in order, read consistently."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="subject = :subject",
            ExpressionAttributeValues=item({":subject": request_subject(request_id)}),
        )
        return [event_from_item(wire) for page in pages for wire in page["Items"]]

    def event(self, request_id: str, seq: int) -> AuditEvent:
        """Return one event, read consistently; raises NotFound."""
        key = item({"subject": request_subject(request_id), "seq": seq})
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if found is None:
            raise NotFound(f"Request {request_id} has no event {seq}.")
        return event_from_item(found)
