"""How our records look in DynamoDB: keys in one place, values as plain attributes, errors by their codes."""

from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from flow_hitl.domain.effects import Effect

HEAD, CONTENT, RESPONSE = "r#head", "r#content", "r#response"

_serializer, _deserializer = TypeSerializer(), TypeDeserializer()


def item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire form of an item, members that are None left out."""
    return {name: _serializer.serialize(value) for name, value in values.items() if value is not None}


def values(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's plain values; numbers are Decimal."""
    return {name: _deserializer.deserialize(value) for name, value in wire.items()}


def effect_key(effect: Effect) -> dict[str, str]:
    """Return the key of an effect's record, which is the effect's deterministic id."""
    target = f"#{effect.target}" if effect.target else ""
    return {"pk": effect.request_id, "sk": f"effect#{effect.event_seq:06d}#{effect.kind.value}{target}"}


def error_code(error: ClientError) -> str:
    """Return the code of an AWS error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellation_codes(error: ClientError) -> list[str]:
    """Return why each item of a transaction was refused, `None` for those that were not; [] for any other error."""
    if error_code(error) != "TransactionCanceledException":
        return []
    return [str(reason.get("Code", "None")) for reason in error.response.get("CancellationReasons", [])]
