"""Discarded emails, kept for 90 days apart from the audit chain, which strangers must not be able to fill."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import Any

from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.replies.rejections import DISCARDS_KEPT, Discard

_SHOWN = 500
_SHOWN_OF_REQUEST = 20


class DynamoDiscardLog:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def record(self, discard: Discard) -> None:
        record = {
            "sk": _sort_key(discard),
            "reason": discard.reason,
            "request_id": discard.request_id,
            "details": canonical_json(dict(discard.details)),
            "ttl": int((discard.at + DISCARDS_KEPT).timestamp()),
        }
        self._client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": self._table, "Item": item({**record, "pk": pk})}} for pk in _lists(discard)
            ]
        )

    def forget(self, discard: Discard) -> None:
        for pk in _lists(discard):
            self._client.delete_item(TableName=self._table, Key=item({"pk": pk, "sk": _sort_key(discard)}))

    def on_day(self, day: date) -> Sequence[Mapping[str, Any]]:
        """Return the day's newest discards (UTC): `at`, `mail`, `reason`, `request_id`, and `details` of each."""
        return [_shown(record) for record in self._newest(_of_day(day), _SHOWN)]

    def of_request(self, request_id: str) -> Sequence[Discard]:
        return list(map(_discard, self._newest(_of_request(request_id), _SHOWN_OF_REQUEST)))

    def of_day(self, day: date) -> Iterator[Discard]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": _of_day(day)}),
        )
        return (_discard(values(row)) for page in pages for row in page["Items"])

    def _newest(self, pk: str, limit: int) -> list[dict[str, Any]]:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": pk}),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [values(row) for row in answer["Items"]]


def _lists(discard: Discard) -> Sequence[str]:
    """Return the keys of the lists that have it: that of its day, and of its request, for the diagnosis."""
    of_request = [_of_request(discard.request_id)] if discard.request_id is not None else []
    return [_of_day(discard.at.astimezone(UTC).date()), *of_request]


def _sort_key(discard: Discard) -> str:
    return f"{rfc3339(discard.at)}#{discard.message_id}"


def _of_day(day: date) -> str:
    return f"discards#{day.isoformat()}"


def _of_request(request_id: str) -> str:
    return f"discards-of#{request_id}"


def _discard(record: Mapping[str, Any]) -> Discard:
    shown = _shown(record)
    return Discard(shown["mail"], shown["reason"], parse_rfc3339(shown["at"]), shown["request_id"], shown["details"])


def _shown(record: Mapping[str, Any]) -> Mapping[str, Any]:
    at, _, mail = str(record["sk"]).partition("#")
    return {
        "at": at,
        "mail": mail,
        "reason": record["reason"],
        "request_id": record.get("request_id"),
        "details": json.loads(record["details"]),
    }
