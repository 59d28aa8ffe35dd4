"""Our dataclasses as JSON in our tables: written by us alone, so no library that checks bodies from outside is needed.

Importing pydantic and making its validators took longer than all that a function does in its first call.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from flow_hitl.platform.digests import stored_json

_A = TypeVar("_A")
_as_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_Read = Callable[[Any], Any]
_Write = Callable[[Any, bool, bool], Any]


class Documents(Generic[_A]):
    """Documents of one class; members that it does not know are ignored."""

    def __init__(self, kind: type[_A]) -> None:
        self._kind = kind

    def loads(self, text: str | bytes) -> _A:
        """Return what a JSON text holds; raises ValueError, TypeError, or RecursionError for what we never wrote."""
        return self.read(stored_json(text if isinstance(text, str) else text.decode()))

    def read(self, value: object) -> _A:
        """Return what the value of a JSON text is; it may hold moments as such."""
        kind: Any = self._kind
        found: _A = _reader(kind)(value)
        return found

    def dumps(self, value: _A, *, defaults: bool = True, nulls: bool = True, without: Collection[str] = ()) -> str:
        """Return the JSON text of a document, without the members named, and without `defaults` or `nulls` on wish."""

        kind: Any = self._kind
        members = _members_written(kind, value, defaults, nulls, without)
        return _as_text.encode(members)


def _members_written(
    kind: Any, value: Any, defaults: bool, nulls: bool, without: Collection[str] = ()
) -> dict[str, Any]:
    held, written = vars(value), dict[str, Any]()
    for name, write, default, make in _written(kind):
        one = held[name]
        if (not defaults and (one is default or one == (make() if make else default))) or name in without:
            continue
        if one is not None:
            written[name] = write(one, defaults, nulls) if write else one
        elif nulls:
            written[name] = None
    return written


@cache
def _written(kind: Any) -> list[tuple[str, _Write | None, Any, Callable[[], Any] | None]]:
    """Return of each member of a class its name, how it is written, its default, and what makes that."""
    hints = get_type_hints(kind)
    return [
        (
            one.name,
            _writer(hints[one.name]),
            one.default,
            one.default_factory if one.default_factory is not MISSING else None,
        )
        for one in fields(kind)
    ]


@cache
def _writer(kind: Any) -> _Write | None:
    """Return what makes JSON out of a value of a type, or None if it is JSON already."""
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        [inner] = [one for one in of if one is not NoneType]
        return _writer(inner)
    if is_dataclass(kind):
        return lambda value, defaults, nulls: _members_written(kind, value, defaults, nulls)
    if kind is datetime:
        return lambda value, _defaults, _nulls: value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if origin is frozenset:
        return lambda value, _defaults, _nulls: sorted(value)
    inner = next((write for one in of if (write := _writer(one))), None)
    if inner is None:
        return None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return lambda value, *how: {name: inner(one, *how) for name, one in value.items()}
    return lambda value, *how: [inner(one, *how) for one in value]


@cache
def _reader(kind: Any) -> _Read:
    """Return what makes a value of a type out of JSON."""
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        [inner] = [one for one in of if one is not NoneType]
        return _or_none(_reader(inner))
    if origin is tuple:
        return _tuple_of([_reader(one) for one in of if one is not ...], many=of[-1] is ...)
    if origin is frozenset:
        return _frozenset_of(_reader(of[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_of(_reader(of[1]))
    if isinstance(origin, type) and issubclass(origin, Collection):
        return _list_of(_reader(of[0]))
    if is_dataclass(kind):
        return _members_of(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return {str: _text, bool: _truth, int: _integer, float: _number, datetime: _moment}.get(kind, _anything)


def _anything(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is a {type(value).__name__}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is a {type(value).__name__}")
    return value


def _integer(value: Any) -> int:
    # Numbers of DynamoDB are decimals.
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        raise TypeError(f"a whole number is {value!r}")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is a {type(value).__name__}")
    return float(value)


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a moment has no zone")
    # Elsewhere it may be a day that no calendar here has, which is an error now and not where it is shown.
    return moment.astimezone(UTC) if moment.utcoffset() else moment


def _or_none(read: _Read) -> _Read:
    return lambda value: None if value is None else read(value)


def _tuple_of(reads: list[_Read], *, many: bool) -> _Read:
    if many:
        [read] = reads
        return lambda value: tuple(map(read, _listed(value)))
    return lambda value: tuple(read(one) for read, one in zip(reads, _listed(value), strict=True))


def _frozenset_of(read: _Read) -> _Read:
    return lambda value: frozenset(map(read, _listed(value)))


def _list_of(read: _Read) -> _Read:
    return lambda value: [*map(read, _listed(value))]


def _mapping_of(read: _Read) -> _Read:
    if read is _anything:
        return _named
    return lambda value: {name: read(one) for name, one in _named(value).items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise TypeError(f"a list is a {type(value).__name__}")
    return value


def _named(value: Any) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"an object is a {type(value).__name__}")
    return value


def _members_of(kind: Any) -> _Read:
    hints = get_type_hints(kind)
    # Python finds a parameter at once by the very name of the class, and by an equal one only among all.
    reads = {one.name: (one.name, _as_it_is(hints[one.name]), _reader(hints[one.name])) for one in fields(kind)}

    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        members = {}
        for name, one in _named(value).items():
            if name in reads:
                own, exact, read = reads[name]
                members[own] = one if type(one) is exact else read(one)
        return kind(**members)

    return read


def _as_it_is(kind: Any) -> Any:
    """Return the type of values that need no reading."""
    kinds = [one for one in get_args(kind) if one is not NoneType] if get_origin(kind) in (Union, UnionType) else [kind]
    return kinds[0] if kinds[0] in (str, bool, int, float) else None
