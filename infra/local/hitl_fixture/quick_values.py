"""Shortcuts for moto's typed values, of which every call makes, compares, and writes hundreds: most are texts."""

from collections.abc import Sequence
from types import NoneType
from typing import Any

_PLAIN = frozenset((NoneType, bool, bytes, float, int, str))


def shortcuts() -> Sequence[tuple[Any, str, Any]]:
    """Return what is replaced: where, which attribute, and by what."""
    import moto.dynamodb.responses
    from moto.dynamodb.models.dynamo_type import DynamoType

    responses: Any = moto.dynamodb.responses
    cast: Any = DynamoType.cast_value
    write: Any = responses.dynamo_to_dict

    def make(typed: Any, of: Any) -> None:
        if type(of) is DynamoType:
            kind, value = of.type, of.value
        else:
            kind, value = next(iter(of.items()))
        if kind == "L":
            value = [DynamoType(one) for one in value]
        elif kind == "M":
            value = {name: DynamoType(one) for name, one in value.items()}
        typed.type, typed.value = kind, value

    def is_same(typed: Any, other: Any) -> bool:
        if typed.type != other.type:
            return False
        return bool(typed.value == other.value if typed.type == "S" else cast.fget(typed) == cast.fget(other))

    # moto imports a class anew for each of them.
    def written(value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is DynamoType:
            if value.type == "S":
                return {"S": value.value}
            return write(value) if value.type in ("B", "BS") else {value.type: written(value.value)}
        if kind is dict:
            return {name: written(one) for name, one in value.items()}
        if kind is list:
            return [written(one) for one in value]
        return written(value.to_json()) if hasattr(value, "to_json") else write(value)

    return (
        (responses, "dynamo_to_dict", written),
        (DynamoType, "__init__", make),
        (DynamoType, "__eq__", is_same),
        (DynamoType, "__ne__", lambda typed, other: not is_same(typed, other)),
        (DynamoType, "__hash__", lambda typed: hash((typed.type, typed.cast_value))),
        (DynamoType, "cast_value", property(lambda typed: typed.value if typed.type == "S" else cast.fget(typed))),
    )
