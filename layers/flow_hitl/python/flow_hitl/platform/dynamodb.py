"""How our records look in DynamoDB: keys in one place, values as plain attributes, errors by their codes."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

HEAD, CONTENT, RESPONSE = "r#head", "r#content", "r#response"

_serializer, _deserializer = TypeSerializer(), TypeDeserializer()


def item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire form of an item, members that are None left out."""
    return {name: _serializer.serialize(value) for name, value in values.items() if value is not None}


def values(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's plain values; numbers are Decimal."""
    return {name: _deserializer.deserialize(value) for name, value in wire.items()}


def write_id() -> str:
    """Return what a write leaves as `written_by`, to know itself again.

    After a lost answer the SDK repeats a call, and the condition of the first is no longer met: by the writer's own
    write, or by another's? Two writers may well write the same, so the contents do not tell.
    """
    return uuid4().hex


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
