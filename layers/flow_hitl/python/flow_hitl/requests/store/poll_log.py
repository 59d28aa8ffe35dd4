"""When someone last fetched answers: small records in the requests table, kept for 90 days."""

from datetime import datetime, timedelta
from typing import Any

from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.requests.reading.polling import LastPolls

_KEPT = timedelta(days=90)
_REQUEST = "request"


class DynamoPolls:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def decisions_fed(self, deployment_id: int, key_id: str, at: datetime) -> None:
        self._put(f"poll#{deployment_id}", key_id, at)

    def waited(self, request_id: str, at: datetime) -> None:
        self._put(f"poll#{request_id}", _REQUEST, at)

    def last(self, deployment_id: int, request_id: str) -> LastPolls:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": f"poll#{deployment_id}"}),
        )
        feed = {row["sk"]: parse_rfc3339(row["at"]) for page in pages for row in map(values, page["Items"])}
        key = item({"pk": f"poll#{request_id}", "sk": _REQUEST})
        found = self._client.get_item(TableName=self._table, Key=key).get("Item")
        return LastPolls(feed, parse_rfc3339(values(found)["at"]) if found else None)

    def _put(self, pk: str, sk: str, at: datetime) -> None:
        record = {"pk": pk, "sk": sk, "at": rfc3339(at), "ttl": int((at + _KEPT).timestamp())}
        self._client.put_item(TableName=self._table, Item=item(record))
