"""Shapes of what the API answers: dataclasses whose fields are the members of the JSON, with what each one means.

The text below a field is its description, which only the API's description reads, from the source.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any

from flow_hitl.platform.times import rfc3339

NAMES = {"since": "from"}
"""Members whose name cannot be that of a field, by the field's name."""

TIME = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
    "maxLength": 20,
}
"""A moment in JSON Schema."""


ABSENT: Any = object()
"""The value of a member that is left out, where it would mean nothing."""
LEFT_OUT = {"left_out": True}
"""The metadata of a field that is left out of the JSON where it is None."""
PLAIN = frozenset({str, int, float, bool, NoneType})
"""Types of most members, which are JSON as they are."""
kind_of: Callable[[Any], Any] = type
"""`type`, whose result mypy does not take for a key of a cache."""


class Channel(StrEnum):
    """How an answer came, by the contract's names."""

    EMAIL = "email"
    DASHBOARD = "dashboard"
    API = "api"
    AUTO_RESPONSE = "auto_response"


class Schema:
    """What the API's description says of a text beside its type, as JSON Schema."""

    def __init__(self, **members: Any) -> None:
        self.members = members

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core_schema), **self.members}


Time = Annotated[str, Schema(**TIME)]
RequestId = Annotated[str, Schema(format="uuid")]
Sha256 = Annotated[str, Schema(pattern="^[0-9a-f]{64}$")]
Url = Annotated[str, Schema(format="uri")]


def as_json(value: Any, shape: type | None = None) -> Any:
    """Return what stands for a value in JSON; of a dataclass, the fields of the `shape` it has, else its own.

    A set is a sorted list. A mapping is JSON already.
    """
    kind = kind_of(value)
    if kind in PLAIN:
        return value
    return _as_shape(value, shape) if shape else writer_of(kind)(value)


@cache
def writer_of(kind: type) -> Callable[[Any], Any]:
    """Return what makes JSON of a value of a type that is none of PLAIN."""
    if is_dataclass(kind):
        return lambda value: _as_shape(value, kind)
    if issubclass(kind, datetime):
        return rfc3339
    if issubclass(kind, date):
        return kind.isoformat
    if issubclass(kind, Enum):
        # `value` is a property in Python, which takes longer than the rest.
        return attrgetter("_value_")
    if issubclass(kind, frozenset):
        return lambda value: sorted(map(as_json, value))
    if issubclass(kind, list | tuple):
        return lambda value: [as_json(one) for one in value]
    return lambda value: value


def _as_shape(value: Any, shape: type) -> dict[str, Any]:
    names, values_of, left_out = _members(shape)
    return {
        name: member if type(member) in PLAIN else writer_of(kind_of(member))(member)
        for name, member in zip(names, values_of(value), strict=True)
        if member is not ABSENT and (member is not None or name not in left_out)
    }


@cache
def _members(shape: Any) -> tuple[Sequence[str], Callable[[Any], Sequence[Any]], Set[str]]:
    """Return the names of the members, what gets their values, and which are left out where they are None."""
    named = {NAMES.get(one.name, one.name): one for one in fields(shape)}
    own = [one.name for one in named.values()]
    # For one name alone, `attrgetter` would return no sequence.
    get: Callable[[Any], Any] = attrgetter(*own) if len(own) > 1 else lambda value: [getattr(value, own[0])]
    left_out = {name for name, one in named.items() if one.metadata == LEFT_OUT}
    return tuple(named), get, left_out
