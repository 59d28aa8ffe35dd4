"""Addresses that get no email after a bounce or complaint, until an operator allows it again.

One item per address: `reason` and `at` for all deployments, or one attribute per deployment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from flow_hitl.platform.dynamodb import batch_get, item, values
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.times import rfc3339

_PK = "suppressed"
_DEPLOYMENT = "deployment#"


class DynamoSuppressionList:
    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def add(self, address: str, reason: str, at: datetime, deployment_id: int | None = None) -> None:
        found = {"reason": reason, "at": rfc3339(at)}
        record = found if deployment_id is None else {f"{_DEPLOYMENT}{deployment_id}": found}
        self._client.update_item(
            TableName=self._table,
            Key=item(_key(address)),
            UpdateExpression="SET " + ", ".join(f"#{number} = :{number}" for number in range(len(record))),
            ExpressionAttributeNames={f"#{number}": name for number, name in enumerate(record)},
            ExpressionAttributeValues=item({f":{number}": value for number, value in enumerate(record.values())}),
        )

    def reason(self, address: str, deployment_id: int | None = None) -> str | None:
        found = self._client.get_item(TableName=self._table, Key=item(_key(address))).get("Item")
        return _reason(values(found) if found else {}, deployment_id)

    def reading(self, address: str) -> Reading[Callable[[int], str | None]]:
        def made(records: Sequence[Mapping[str, Any]]) -> Callable[[int], str | None]:
            return partial(_reason, records[0] if records else {})

        return Reading(self._table, [_key(address)] if address else [], made)

    def reasons(self, addresses: Sequence[str], deployment_id: int) -> Mapping[str, str]:
        rows = batch_get(self._client, self._table, map(_key, addresses), self._pause, consistent=False)
        found = {row["sk"]: reason for row in rows if (reason := _reason(row, deployment_id))}
        return {address: found[address.lower()] for address in addresses if address.lower() in found}

    def remove(self, address: str) -> bool:
        answer = self._client.delete_item(TableName=self._table, Key=item(_key(address)), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    def entries(self) -> Sequence[Mapping[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item({":pk": _PK}),
        )
        return [entry for page in pages for row in page["Items"] for entry in _entries(values(row))]


def _reason(row: Mapping[str, Any], deployment_id: int | None) -> str | None:
    found = row if "reason" in row else row.get(f"{_DEPLOYMENT}{deployment_id}")
    return str(found["reason"]) if found else None


def _entries(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "reason" in row:
        yield {"address": row["sk"], "reason": row["reason"], "at": row["at"], "deployment_id": None}
    for name in sorted(name for name in row if name.startswith(_DEPLOYMENT)):
        deployment_id = int(name.removeprefix(_DEPLOYMENT))
        yield {"address": row["sk"], **row[name], "deployment_id": deployment_id}


def _key(address: str) -> dict[str, str]:
    return {"pk": _PK, "sk": address.lower()}
