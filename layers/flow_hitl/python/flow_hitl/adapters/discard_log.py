"""Mails that decided nothing and were answered by nothing: kept apart from the audit chain, for three months.

Anybody in the world can cause these, so they must not be able to fill a chain.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from flow_hitl.adapters.dynamodb import item, values
from flow_hitl.domain.audit import canonical_json
from flow_hitl.domain.times import rfc3339
from flow_hitl.ports import Discard

_KEPT = timedelta(days=90)
_SHOWN = 500


class DynamoDiscardLog:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def record(self, discard: Discard) -> None:
        record = {
            "pk": f"discards#{rfc3339(discard.at)[:10]}",
            "sk": f"{rfc3339(discard.at)}#{discard.message_id}",
            "reason": discard.reason,
            "request_id": discard.request_id,
            "details": canonical_json(dict(discard.details)),
            "ttl": int((discard.at + _KEPT).timestamp()),
        }
        self._client.put_item(TableName=self._table, Item=item(record))

    def on_day(self, day: date) -> Sequence[Mapping[str, Any]]:
        """Return the day's newest discards (UTC): `at`, `mail`, `reason`, `request_id` and `details` of each."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": f"discards#{day.isoformat()}"}),
            ScanIndexForward=False,
            Limit=_SHOWN,
        )
        return [_shown(values(row)) for row in answer["Items"]]


def _shown(record: Mapping[str, Any]) -> Mapping[str, Any]:
    at, _, mail = str(record["sk"]).partition("#")
    return {
        "at": at,
        "mail": mail,
        "reason": record["reason"],
        "request_id": record.get("request_id"),
        "details": json.loads(record["details"]),
    }
