"""When each API key was used last: small records in the requests table, outside of the configuration they are about."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.platform.unreadable import readable


class DynamoKeyUses:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def record(self, deployment_id: int, key_id: str, at: datetime) -> None:
        record = {"pk": _pk(deployment_id), "sk": key_id, "at": rfc3339(at)}
        self._client.put_item(TableName=self._table, Item=item(record))

    def last(self, deployment_id: int) -> Mapping[str, datetime]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": _pk(deployment_id)}),
        )
        rows = [values(wire) for page in pages for wire in page["Items"]]
        what = "the last use of an API key cannot be read"
        read = {row["sk"]: readable(partial(_moment, row), what) for row in rows}
        return {key_id: at for key_id, at in read.items() if at is not None}


def _moment(row: Mapping[str, Any]) -> datetime:
    return parse_rfc3339(row["at"])


def _pk(deployment_id: int) -> str:
    return f"key-use#{deployment_id}"
