"""How our records look in DynamoDB: keys in one place, values as plain attributes, errors by their codes."""

import os
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.rounds import in_rounds

HEAD, CONTENT, RESPONSE = "r#head", "r#content", "r#response"

# How many items DynamoDB takes in one call.
MOST_READ, _MOST_WRITTEN = 100, 25
_BUSY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


def item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire form of an item, members that are None left out."""
    # Most are texts, which are not worth a call.
    return {
        name: {"S": value} if type(value) is str else _to_wire(value)
        for name, value in values.items()
        if value is not None
    }


def values(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's plain values; numbers are Decimal."""
    return {name: value["S"] if "S" in value else _from_wire(value) for name, value in wire.items()}


def _to_wire(value: Any) -> dict[str, Any]:
    """Return a value's wire form; raises TypeError for what we do not store, floats among it."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, Mapping):
        return {"M": {name: _to_wire(inner) for name, inner in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [_to_wire(inner) for inner in value]}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, set | frozenset) and value and all(isinstance(one, str) for one in value):
        return {"SS": sorted(value)}
    raise TypeError(f"DynamoDB keeps no {type(value).__name__} of ours")


def _from_wire(wire: Mapping[str, Any]) -> Any:
    """Return the value of any wire form, also of what others have stored."""
    ((kind, value),) = wire.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "B":
            # A record of a stream comes to a function as JSON, which has no bytes.
            return a2b_base64(value) if isinstance(value, str) else value
        case "N":
            return Decimal(value)
        case "M":
            return values(value)
        case "L":
            return [_from_wire(inner) for inner in value]
        case "NULL":
            return None
        case "SS" | "BS":
            return set(value)
        case "NS":
            return {Decimal(number) for number in value}
    raise TypeError(f"DynamoDB's kind of value {kind} is unknown")


def write_id() -> str:
    """Return what a write leaves as `written_by`, to know itself again.

    After a lost answer the SDK repeats a call, and the condition of the first is no longer met: by the writer's own
    write, or by another's? Two writers may well write the same, so the contents do not tell.
    """
    return os.urandom(16).hex()


def put_if(client: Any, table: str, record: Mapping[str, Any], condition: str, names: Mapping[str, Any]) -> bool:
    """Put a record where a condition is met, whose values are `names`; return whether this call's record stands there.

    A repetition of this very write, after its answer was lost, is not refused.
    """
    written_by = write_id()
    try:
        client.put_item(
            TableName=table,
            Item=item({**record, "written_by": written_by}),
            ConditionExpression=condition,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **({"ExpressionAttributeValues": item(names)} if names else {}),
        )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        return bool(old_item(error).get("written_by") == written_by)
    return True


def transact(client: Any, parts: Sequence[Mapping[str, Any]], token: str | None = None) -> None:
    """Write all parts or none, in one try; by the `token` DynamoDB knows a call that the SDK repeats.

    Raises ClientError where a condition is not met, else Conflict while others write the same items or DynamoDB is
    busy: the caller decides anew, in its own rounds.
    """
    known = {"ClientRequestToken": token} if token else {}
    try:
        client.transact_write_items(TransactItems=parts, **known)
    except ClientError as error:
        codes = cancellation_codes(error)
        is_busy = _BUSY.intersection(codes) or error_code(error) == "TransactionInProgressException"
        if is_busy and "ConditionalCheckFailed" not in codes:
            raise Conflict(f"DynamoDB was busy: {codes}") from error
        raise


def batch_get(
    client: Any,
    table: str,
    keys: Iterable[Mapping[str, Any]],
    pause: Callable[[int], None],
    *,
    consistent: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield the values of the items that there are, each once, in no order; raises Conflict if DynamoDB lags behind."""
    wires = list({tuple(sorted(key.items())): item(key) for key in keys}.values())
    for start in range(0, len(wires), MOST_READ):
        found: list[Mapping[str, Any]] = []

        def read(wanted: Any, found: list[Mapping[str, Any]] = found) -> Any:
            answer = client.batch_get_item(RequestItems=wanted)
            found += answer["Responses"].get(table, [])
            return answer.get("UnprocessedKeys")

        asked = {"Keys": wires[start : start + MOST_READ], **({"ConsistentRead": True} if consistent else {})}
        until_processed(read, {table: asked}, pause)
        yield from map(values, found)


def batch_put(client: Any, table: str, records: Sequence[Mapping[str, Any]], pause: Callable[[int], None]) -> None:
    """Put items, whatever is there; raises Conflict if DynamoDB lags behind."""
    _batch_write(client, table, [{"PutRequest": {"Item": item(record)}} for record in records], pause)


def batch_delete(client: Any, table: str, wires: Sequence[Mapping[str, Any]], pause: Callable[[int], None]) -> None:
    """Delete items by their keys in wire form; raises Conflict if DynamoDB lags behind."""
    _batch_write(client, table, [{"DeleteRequest": {"Key": key}} for key in wires], pause)


def _batch_write(client: Any, table: str, wanted: Sequence[Mapping[str, Any]], pause: Callable[[int], None]) -> None:
    def write(part: Any) -> Any:
        return client.batch_write_item(RequestItems=part).get("UnprocessedItems")

    for start in range(0, len(wanted), _MOST_WRITTEN):
        until_processed(write, {table: wanted[start : start + _MOST_WRITTEN]}, pause)


def until_processed(send: Callable[[Any], Any], wanted: Any, pause: Callable[[int], None]) -> None:
    """Send a batch, and what DynamoDB leaves of it, until nothing is left."""
    left = wanted

    def attempt() -> None:
        nonlocal left
        left = send(left)
        if left:
            raise Conflict("DynamoDB left a part of a batch")

    in_rounds(attempt, pause)


def old_item(error: ClientError) -> dict[str, Any]:
    """Return the values of the item that a condition was not met by, {} if there was none."""
    response: Any = error.response
    return values(response.get("Item", {}))


def error_code(error: ClientError) -> str:
    """Return the code of an AWS error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellation_codes(error: ClientError) -> list[str]:
    """Return why each item of a transaction was refused, `None` for those that were not; [] for any other error."""
    if error_code(error) != "TransactionCanceledException":
        return []
    return [str(reason.get("Code", "None")) for reason in error.response.get("CancellationReasons", [])]
