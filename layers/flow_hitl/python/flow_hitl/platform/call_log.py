"""What is kept of calls that may come again: one item each, written together with what the call makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.platform.dynamodb import cancellation_codes, item, transact, values
from flow_hitl.platform.ports import CalledBefore
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.platform.rounds import in_rounds


def put_call(table: str, record: CallRecord) -> dict[str, Any]:
    """Return the transaction's part that takes a call's key, which must be free."""
    call = record.call
    kept = {
        **_key(call),
        "made": record.made,
        "sealed": record.sealed,
        "body": call.body_sha256,
        "ttl": call.expires_at,
    }
    return {
        "Put": {
            "TableName": table,
            "Item": item(kept),
            # TTL deletes late, so an entry that is past its time is overwritten.
            "ConditionExpression": "attribute_not_exists(pk) OR #ttl < :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": item({":now": int(call.at.timestamp())}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def record_of(wire: Mapping[str, Any], call: Call) -> CallRecord:
    """Return the record that an item is of, which has the key of `call`."""
    kept = values(wire)
    # Keys of requests once had their record without a body, and "request_id" for what was made.
    earlier = replace(call, body_sha256=kept.get("body", ""))
    made = kept["made"] if "made" in kept else kept["request_id"]
    return CallRecord(earlier, str(made), kept.get("sealed"))


def require_first(called: CallRecord | None, parts: Sequence[Mapping[str, Any]], error: ClientError) -> None:
    """Return unless these parts of a transaction were refused because their call was made before.

    Raises CalledBefore.
    """
    codes = cancellation_codes(error)
    if called is None or not codes:
        return
    pk = item(_key(called.call))["pk"]
    place = next(number for number, part in enumerate(parts) if part.get("Put", {}).get("Item", {}).get("pk") == pk)
    if codes[place] == "ConditionalCheckFailed":
        response: Any = error.response
        raise CalledBefore(record_of(response["CancellationReasons"][place]["Item"], called.call)) from None


def write_called(
    client: Any, parts: Sequence[Mapping[str, Any]], called: CallRecord, pause: Callable[[int], None]
) -> None:
    """Write the parts of a transaction, of which one keeps the call; raises CalledBefore, and Conflict."""
    try:
        in_rounds(lambda: transact(client, parts), pause)
    except ClientError as error:
        require_first(called, parts, error)
        raise


class DynamoCallLog:
    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def find(self, call: Call) -> CallRecord | None:
        found = self._client.get_item(TableName=self._table, Key=item(_key(call)), ConsistentRead=True).get("Item")
        if found is None or values(found)["ttl"] < int(call.at.timestamp()):
            return None
        return record_of(found, call)

    def add(self, record: CallRecord) -> None:
        write_called(self._client, [put_call(self._table, record)], record, self._pause)


def _key(call: Call) -> dict[str, str]:
    return {"pk": f"idempotency#{call.deployment_id}#{call.name}", "sk": "idempotency"}
