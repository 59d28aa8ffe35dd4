"""Addresses that get no mail, because it bounced or was called spam; an operator can let them have it again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flow_hitl.adapters.dynamodb import item, values
from flow_hitl.domain.times import rfc3339

_PK = "suppressed"


class DynamoSuppressionList:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, address: str, reason: str, at: datetime) -> None:
        record = {**_key(address), "reason": reason, "at": rfc3339(at)}
        self._client.put_item(TableName=self._table, Item=item(record))

    def reason(self, address: str) -> str | None:
        found = self._client.get_item(TableName=self._table, Key=item(_key(address))).get("Item")
        return str(values(found)["reason"]) if found else None

    def reasons(self, addresses: Sequence[str]) -> Mapping[str, str]:
        keys = {address.lower(): item(_key(address)) for address in addresses}
        wanted: Mapping[str, Any] = {self._table: {"Keys": list(keys.values())}} if keys else {}
        found: dict[str, str] = {}
        while wanted:
            answer = self._client.batch_get_item(RequestItems=wanted)
            rows = map(values, answer["Responses"].get(self._table, []))
            found |= {row["sk"]: str(row["reason"]) for row in rows}
            wanted = answer.get("UnprocessedKeys") or {}
        return {address: found[address.lower()] for address in addresses if address.lower() in found}

    def remove(self, address: str) -> bool:
        answer = self._client.delete_item(TableName=self._table, Key=item(_key(address)), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    def entries(self) -> Sequence[Mapping[str, str]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": _PK}),
        )
        rows = [values(row) for page in pages for row in page["Items"]]
        return [{"address": row["sk"], "reason": row["reason"], "at": row["at"]} for row in rows]


def _key(address: str) -> dict[str, str]:
    return {"pk": _PK, "sk": address.lower()}
