"""Mails that decided nothing and were answered by nothing: kept apart from the audit chain, for three months.

Anybody in the world can cause these, so they must not be able to fill a chain.
"""

from datetime import timedelta
from typing import Any

from flow_hitl.adapters.dynamodb import item
from flow_hitl.domain.audit import canonical_json
from flow_hitl.domain.times import rfc3339
from flow_hitl.ports import Discard

_KEPT = timedelta(days=90)


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
